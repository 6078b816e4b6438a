import { ServiceError } from '../errors.ts';

/** A log line of Conductor's: long enough for any answer that one may want to look at. */
const LOGGED_CHARACTERS = 32_000;

/**
 * The JSON in a model's answer, which may stand in a fenced block. Throws OUTPUT_NOT_JSON, which carries what the model
 * wrote for the task's log, and nowhere else.
 */
export function parseJsonText(text: string, model: string): unknown {
  const found = jsonIn(text);
  if (found !== undefined) return found.value;
  const cut = text.length > LOGGED_CHARACTERS ? ` (the first ${LOGGED_CHARACTERS} of ${text.length} characters)` : '';
  throw new ServiceError(
    'OUTPUT_NOT_JSON',
    `jsonOutput: ${model} did not answer with JSON; ask for it in the prompt. The task's log has what it wrote`,
    { field: 'jsonOutput', notes: [`${model} answered${cut}: ${text.slice(0, LOGGED_CHARACTERS)}`] },
  );
}

/** The value, wrapped since it may be null; undefined where there is none. */
export function jsonIn(text: string): { readonly value: unknown } | undefined {
  for (const candidate of [text, ...fencedBlocks(text)]) {
    try {
      return { value: JSON.parse(candidate) };
    } catch {
      // The next form may be the one.
    }
  }
  return undefined;
}

/** What stands in the first fenced block, without the language's name: to its next fence, and to the last, since a text in it may hold one. */
function fencedBlocks(text: string): string[] {
  const start = text.indexOf('```');
  if (start < 0) return [];
  const body = text.slice(start + 3).replace(/^json/i, '');
  return [body.indexOf('```'), body.lastIndexOf('```'), body.length].map((end) => body.slice(0, Math.max(0, end)));
}
