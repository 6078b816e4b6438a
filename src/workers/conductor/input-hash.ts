import { createHash } from 'node:crypto';

/** SHA-256 of a task's input, whatever the order of its keys, without what proves the caller or names the start. */
export function inputHash(input: Readonly<Record<string, unknown>>): string {
  const { accessToken: _, _createdBy: __, ...question } = input;
  return createHash('sha256')
    .update(JSON.stringify(sorted(question)))
    .digest('base64url');
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1));
  return entries.map(([key, inner]) => [key, sorted(inner)]);
}
