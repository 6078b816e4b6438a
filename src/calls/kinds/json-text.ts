import { ServiceError } from '../../errors.ts';

/** A log line of Conductor's: long enough for any answer that one may want to look at. */
const LOGGED_CHARACTERS = 32_000;
/** Fences of an answer that are looked behind: each costs a reading of what follows. */
const FENCES_AT_MOST = 16;

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
  for (const candidate of candidates(text)) {
    try {
      return { value: JSON.parse(candidate) };
    } catch {
      // The next form may be the one.
    }
  }
  return undefined;
}

/** The whole, then what stands in fenced blocks, without the language's name: a model may show code before its answer. */
function* candidates(text: string): Iterable<string> {
  yield text;
  let start = text.indexOf('```');
  for (let fence = 0; start >= 0 && fence < FENCES_AT_MOST; fence += 1) {
    const body = text.slice(start + 3).replace(/^[^\S\n]*json/i, '');
    // To its next fence, and to the last, since a text in it may hold one; a block that was never closed, to the end.
    for (const end of new Set([body.indexOf('```'), body.lastIndexOf('```'), body.length])) {
      if (end >= 0) yield body.slice(0, end);
    }
    start = text.indexOf('```', start + 3);
  }
}
