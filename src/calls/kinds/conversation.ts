import { ServiceError } from '../../errors.ts';
import type { ChatTurn } from '../../integrations/codec.ts';
import { type ChatMessage, MAXIMUM_TOOL_CALLS, type ToolCallInput } from '../inputs/chat-inputs.ts';
import { readImage } from '../inputs/data-uri.ts';
import { createToolExchanges } from './tool-exchanges.ts';

/** AWS, APIReference/API_runtime_Message.html. */
const MAXIMUM_IMAGES = 20;

export interface Conversation {
  /** What the messages of the role `system` say, wherever they stand: no family has a place for them in between. */
  readonly system: readonly string[];
  readonly turns: readonly ChatTurn[];
}

/**
 * The messages of a task as a conversation. A result without its call, which the open-source server's history has
 * (ai/…/tasks/mapper/ChatCompleteTaskMapper.java), brings the call along: it holds all of it. Throws INPUT_INVALID, with
 * the message's place as the field.
 */
export function readConversation(messages: readonly ChatMessage[]): Conversation {
  demandFewCalls(messages);
  const system: string[] = [];
  const turns: ChatTurn[] = [];
  const exchanges = createToolExchanges(turns);
  let images = 0;

  function readUser(message: ChatMessage, field: string): void {
    const media = message.media ?? [];
    images += media.length;
    if (images > MAXIMUM_IMAGES)
      throw invalid(`${field}.media`, `more than ${MAXIMUM_IMAGES} images in a conversation`);
    const pictures = media.map((one, place) => readImage(one, `${field}.media.${place}`));
    const text = pictures.length > 0 ? textOf(message) : demandText(message, field);
    turns.push({ role: 'user', field, images: pictures, ...(text === undefined ? {} : { text }) });
  }

  for (const [index, message] of messages.entries()) {
    const field = `messages.${index}`;
    refuseMisplaced(message, field);
    switch (message.role) {
      case 'system':
        system.push(demandText(message, field));
        break;
      case 'user':
      case 'human':
        exchanges.end(field);
        readUser(message, field);
        break;
      case 'assistant':
      case 'tool_call': {
        const calls = message.role === 'tool_call' ? demandCalls(message, field) : (message.toolCalls ?? []);
        const text = calls.length > 0 ? textOf(message) : demandText(message, field);
        if (text !== undefined) {
          exchanges.end(field);
          turns.push({ role: 'assistant', field, text });
        }
        for (const call of calls) exchanges.call(field, call);
        break;
      }
      case 'tool':
        for (const call of demandCalls(message, field)) exchanges.result(field, call);
        break;
    }
  }
  exchanges.end('the end');
  if (turns.length === 0) {
    throw invalid(
      'messages',
      messages.length === 0
        ? 'missing; give messages of {role, message}, or a text in userInput'
        : 'nobody says anything but the system; give a message of the role user, too',
    );
  }
  return { system, turns };
}

/** Before any work is done on them. */
function demandFewCalls(messages: readonly ChatMessage[]): void {
  let calls = 0;
  for (const [index, { toolCalls }] of messages.entries()) {
    calls += toolCalls?.length ?? 0;
    if (calls <= MAXIMUM_TOOL_CALLS) continue;
    throw invalid(
      `messages.${index}.toolCalls`,
      `more than ${MAXIMUM_TOOL_CALLS} calls and results of tools in a conversation`,
    );
  }
}

/** What a message of its role has no place for: refused, not dropped. */
function refuseMisplaced(message: ChatMessage, field: string): void {
  const { role, media, toolCalls } = message;
  const isUsers = role === 'user' || role === 'human';
  if (!isUsers && (media ?? []).length > 0) throw invalid(`${field}.media`, 'only messages of the user have images');
  if ((isUsers || role === 'system') && (toolCalls ?? []).length > 0) {
    throw invalid(`${field}.toolCalls`, `a message of the role ${role} has none`);
  }
  if (role === 'tool' && textOf(message) !== undefined) {
    throw invalid(`${field}.message`, 'a message of the role tool has its results in toolCalls, as their output');
  }
}

/** Undefined where it is blank: Bedrock refuses blank texts. */
function textOf({ message }: ChatMessage): string | undefined {
  if (message === undefined || message === null) return undefined;
  const text = typeof message === 'string' ? message : JSON.stringify(message);
  return text.trim() === '' ? undefined : text;
}

function demandText(message: ChatMessage, field: string): string {
  const text = textOf(message);
  if (text === undefined) throw invalid(`${field}.message`, 'is empty');
  return text;
}

function demandCalls({ role, toolCalls }: ChatMessage, field: string): readonly ToolCallInput[] {
  if (toolCalls === undefined || toolCalls === null || toolCalls.length === 0) {
    throw invalid(`${field}.toolCalls`, `missing: a message of the role ${role} has its calls there`);
  }
  return toolCalls;
}

function invalid(field: string, message: string): ServiceError {
  return new ServiceError('INPUT_INVALID', `Input ${field}: ${message}`, { field });
}
