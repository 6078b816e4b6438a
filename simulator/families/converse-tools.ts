/** What Converse asks of calls and results of tools, and how a simulated model calls one. Words: as users report them in issues. */
import { randomUUID } from 'node:crypto';
import { validationError } from '../errors.ts';
import type { ContentBlock, ToolConfig } from './converse-blocks.ts';

interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: readonly ContentBlock[];
}

/** Throws AwsError unless every call is answered in the next message, every result has its call, and the tools are there. */
export function checkTools(messages: readonly Message[], tools: ToolConfig | undefined): void {
  const blocks = messages.flatMap(({ content }) => content);
  const isUsed = blocks.some((block) => block.toolUse !== undefined || block.toolResult !== undefined);
  if (isUsed && tools === undefined) {
    throw validationError('The toolConfig field must be defined when using toolUse and toolResult content blocks.');
  }
  const names = (tools?.tools ?? []).flatMap(({ toolSpec }) => toolSpec?.name ?? []);
  if (new Set(names).size < names.length) throw validationError('The toolConfig contains duplicate tool names.');
  let seen = new Set<string>();
  messages.forEach(({ role, content }, index) => {
    const uses = content.flatMap(({ toolUse }) => toolUse?.toolUseId ?? []);
    const results = content.flatMap(({ toolResult }) => toolResult?.toolUseId ?? []);
    if (role === 'user' && uses.length > 0) throw validationError('User messages cannot contain tool uses.');
    if (role === 'assistant' && results.length > 0) {
      throw validationError('Assistant messages cannot contain tool results.');
    }
    if (uses.some((id) => seen.has(id)) || new Set(uses).size < uses.length) {
      throw validationError(`messages.${index}.content: tool_use ids must be unique`);
    }
    seen = new Set([...seen, ...uses]);
    const before = index === 0 ? [] : usesOf(messages[index - 1]);
    if (results.length > before.length) {
      throw validationError(
        `The number of toolResult blocks at messages.${index}.content exceeds the number of toolUse blocks of previous turn.`,
      );
    }
    const missing = before.filter((id) => !results.includes(id));
    if (missing.length > 0) {
      throw validationError(
        `Expected toolResult blocks at messages.${index}.content for the following Ids: ${missing.join(', ')}`,
      );
    }
  });
  if (usesOf(messages.at(-1)).length > 0) {
    throw validationError('A conversation must not end with a toolUse block without its toolResult.');
  }
}

function usesOf(message: Message | undefined): readonly string[] {
  return (message?.content ?? []).flatMap(({ toolUse }) => toolUse?.toolUseId ?? []);
}

/** A model asks for its first tool, or the chosen one, unless the last that it was told is a result. */
export function toolUseOf(messages: readonly Message[], tools: ToolConfig | undefined): ContentBlock | undefined {
  const last = messages.at(-1);
  if (last?.role !== 'user' || last.content.at(-1)?.toolResult !== undefined) return undefined;
  const chosen = tools?.toolChoice?.tool?.name;
  const spec = (tools?.tools ?? [])
    .flatMap(({ toolSpec }) => toolSpec ?? [])
    .find(({ name }) => chosen === undefined || name === chosen);
  if (spec === undefined) return undefined;
  const properties = Object.entries((spec.inputSchema.json['properties'] ?? {}) as Record<string, { type?: unknown }>);
  const input = Object.fromEntries(properties.map(([name, { type }]) => [name, simulatedValue(type)]));
  return { toolUse: { toolUseId: `tooluse_${randomUUID().replaceAll('-', '')}`, name: spec.name, input } };
}

function simulatedValue(type: unknown): string | number | boolean | never[] | Record<string, never> {
  switch (type) {
    case 'number':
    case 'integer':
      return 1;
    case 'boolean':
      return true;
    case 'array':
      return [];
    case 'object':
      return {};
    default:
      return 'simulated';
  }
}
