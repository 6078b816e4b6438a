import type { ChatRequest, Family } from './codec.ts';
import { FAMILY_NAMES, inputInvalid } from './parameters.ts';

/** Throws INPUT_INVALID where a conversation holds calls of tools, and the request has none: no family knows what they are then. */
export function demandTools(family: Family, { turns, tools }: Pick<ChatRequest, 'turns' | 'tools'>): void {
  const call = turns.find(({ role }) => role === 'tool-calls');
  if (call === undefined || tools.length > 0) return;
  throw inputInvalid('tools', `${call.field} holds a call of a tool: ${FAMILY_NAMES[family]} wants the tools with it.`);
}
