import type { TaskInput } from '../calls/inputs/read-inputs.ts';
import type { TaskType } from '../config.ts';
import { ServiceError } from '../errors.ts';

/** What the inputs are for. Throws USAGE where they do not say. */
export function typeOf(input: TaskInput): TaskType {
  const has = (...names: readonly string[]) => names.some((name) => name in input);
  if (has('text', 'texts', 'images', 'inputs')) return 'LLM_GENERATE_EMBEDDINGS';
  // A chat may have documents, too.
  if (has('query')) return 'LLM_RERANK';
  if (has('messages', 'userInput')) return 'LLM_CHAT_COMPLETE';
  if (has('prompt', 'promptName')) return 'LLM_TEXT_COMPLETE';
  throw new ServiceError(
    'USAGE',
    'run: say what to send: --text to embed, --prompt or --prompt-name to complete, or --input with the inputs of a task; ' +
      '--task-type says of which type, where they do not',
  );
}

/** Vectors that are shown, of a list that may hold thousands. */
const VECTORS_AT_MOST = 5;

/** What people look at: text as it is, and of many numbers how many and how they begin. */
export function shown(result: unknown): string {
  if (typeof result === 'string') return result;
  if (isVector(result)) return `${numbers(result)}${result.length > 5 ? '  (all of them with --output json)' : ''}`;
  if (!Array.isArray(result) || result.length === 0 || !result.every(isVector)) return JSON.stringify(result, null, 2);
  const lines = result.slice(0, VECTORS_AT_MOST).map(numbers);
  return [
    `${result.length} ${result.length === 1 ? 'vector' : 'vectors'}  (all of them with --output json)`,
    ...lines,
    ...(result.length > VECTORS_AT_MOST ? ['…'] : []),
  ].join('\n');
}

function isVector(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.length > 0 && value.every((each) => typeof each === 'number');
}

function numbers(vector: readonly number[]): string {
  return `${vector.length} numbers: ${vector.slice(0, 5).join(', ')}${vector.length > 5 ? ', …' : ''}`;
}
