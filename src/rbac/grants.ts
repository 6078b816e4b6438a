/** What may be done with a target; Orkes' words. */
export const ACCESSES = ['CREATE', 'READ', 'EXECUTE', 'UPDATE', 'DELETE'] as const;
export type Access = (typeof ACCESSES)[number];

const ACCESS_WORDS: ReadonlySet<string> = new Set(ACCESSES);
const TARGET = /^([A-Z][A-Z_]*):(.+)$/s;

/** `INTEGRATION:provider:model`, `INTEGRATION_PROVIDER:provider`, `PROMPT:name`, `APPLICATION:id` or `TAG:key:value`. */
export type TargetId = string & { readonly __brand: 'TargetId' };

const named = putTogetherOnce((type, name) => `${type}:${name}`);

export const integrationTarget = (provider: string): TargetId => named('INTEGRATION_PROVIDER', provider);
export const modelTarget = putTogetherOnce((provider, model) => `INTEGRATION:${provider}:${model}`);
export const promptTarget = (prompt: string): TargetId => named('PROMPT', prompt);
export const applicationTarget = (application: string): TargetId => named('APPLICATION', application);
export const tagTarget = putTogetherOnce((key, value) => `TAG:${key}:${value}`);

/**
 * The same string for the same two: a decision asks for several targets, and a string that was just put together must be
 * read through wherever it is looked for. Names come from questions, too, and must not gather for ever.
 */
function putTogetherOnce(
  putTogether: (first: string, second: string) => string,
  atMost = 20_000,
): (first: string, second: string) => TargetId {
  const known = new Map<string, Map<string, TargetId>>();
  let count = 0;
  return (first, second) => {
    const found = known.get(first)?.get(second);
    if (found !== undefined) return found;
    if (count >= atMost) known.clear();
    count = known.size === 0 ? 1 : count + 1;
    const made = putTogether(first, second) as TargetId;
    known.set(first, (known.get(first) ?? new Map<string, TargetId>()).set(second, made));
    return made;
  };
}

/** What is wrong with a target as written in a grant, or undefined. Target types that we do not serve are kept, not judged. */
export function targetFault(target: string): string | undefined {
  const parts = TARGET.exec(target);
  if (parts === null) return 'a target is TYPE:id, such as INTEGRATION:provider:model';
  const [, type, id = ''] = parts;
  if (type === 'INTEGRATION' && !/^[^:]+:.+$/s.test(id)) {
    return 'an INTEGRATION target is INTEGRATION:provider:model; for a whole integration write INTEGRATION_PROVIDER:provider';
  }
  if (type === 'INTEGRATION_PROVIDER' && id.includes(':')) {
    return 'an INTEGRATION_PROVIDER target is INTEGRATION_PROVIDER:provider; for one model write INTEGRATION:provider:model';
  }
  if (type === 'TAG' && !/^[^:]+:.*$/s.test(id)) return 'a TAG target is TAG:key:value';
  return undefined;
}

/** `READ,EXECUTE` into its words; a fault where one is unknown or there is none. */
export function parseAccess(text: string): { readonly access: ReadonlySet<Access> } | { readonly fault: string } {
  const words = text.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !ACCESS_WORDS.has(word));
  if (unknown !== undefined) return { fault: `access is one or more of ${ACCESSES.join(', ')}, separated by commas` };
  return { access: new Set(words as Access[]) };
}

/** In the order of ACCESSES, as Redis holds them. */
export function formatAccess(access: Iterable<Access>): string {
  const held = new Set(access);
  return ACCESSES.filter((word) => held.has(word)).join(',');
}
