/**
 * Session policies: the part of IAM's policy language that narrows an assumed role. Effect, Action and Resource with
 * the wildcards `*` and `?`; what is not evaluated here (conditions, NotAction, principals) is refused when the role is
 * assumed, so that a policy never seems to hold where it was not understood.
 */
import { z } from 'zod';

const words = z.union([z.string().min(1), z.array(z.string().min(1)).min(1)]);
const statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: words,
  Resource: words,
});
const schema = z.strictObject({
  Version: z.enum(['2012-10-17', '2008-10-17']),
  Id: z.string().optional(),
  Statement: z.union([statement, z.array(statement).min(1)]),
});

export type SessionPolicy = z.infer<typeof schema>;
export type Verdict = 'allowed' | 'not allowed' | 'denied';

/** Reads a policy document; `undefined` when it is not one. */
export function parsePolicy(text: string): SessionPolicy | undefined {
  try {
    return schema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}

/** What a policy says to an action (`bedrock:InvokeModel`) on a resource (an ARN). A denial beats any permission. */
export function judge(policy: SessionPolicy, action: string, resource: string): Verdict {
  const applying = [policy.Statement].flat().filter(
    (one) =>
      // Actions are compared without regard to case, resources with it: IAM's policy reference.
      [one.Action].flat().some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
      [one.Resource].flat().some((pattern) => matches(pattern, resource)),
  );
  if (applying.some((one) => one.Effect === 'Deny')) return 'denied';
  return applying.length > 0 ? 'allowed' : 'not allowed';
}

function matches(pattern: string, value: string): boolean {
  const expression = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${expression}$`).test(value);
}
