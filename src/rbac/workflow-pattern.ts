/**
 * Patterns of workflow names: the whole name, `*` for any run of characters, nothing else. No RegExp, so that no
 * pattern can be made slow: the matcher is linear in the name for each star's last position.
 */

const MAX_LENGTH = 256;

/** What is wrong with a pattern as written, or undefined. */
export function patternFault(pattern: string): string | undefined {
  if (pattern === '') return 'a workflow pattern is not empty';
  if (pattern.length > MAX_LENGTH) return `a workflow pattern has at most ${MAX_LENGTH} characters`;
  return undefined;
}

/** Whether the whole name fits. The pieces between stars are sought from left to right, the last one at the end. */
export function matchesWorkflow(pattern: string, name: string): boolean {
  const pieces = pattern.split('*');
  const first = pieces[0] ?? '';
  if (pieces.length === 1) return name === pattern;
  const last = pieces[pieces.length - 1] ?? '';
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found < 0 || found + piece.length > end) return false;
    at = found + piece.length;
  }
  return true;
}
