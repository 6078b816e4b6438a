import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KeyContent } from '../../../src/catalog/read-keys.ts';
import { rebuild } from '../../../src/catalog/rebuild.ts';
import { NOTHING, Snapshot } from '../../../src/catalog/snapshot.ts';
import { type Decision, decide } from '../../../src/rbac/decision.ts';
import type { AccessWorld } from '../../../src/rbac/holders.ts';
import { keyNames } from '../../../src/redis/keys.ts';
import { type Question, question, SUBJECTS, step, TARGETS, withoutIndex } from '../support/access-steps.ts';

const names = keyNames('cohere:');

function answers(world: AccessWorld, questions: readonly Question[]): Decision[] {
  return questions.map(({ subject, target, access, mayBeAdmin }) =>
    decide(world, subject, target, { mayBeAdmin, ...(access && { access }) }),
  );
}

/** After each step both ways must agree; in the end every snapshot must say what it said at its time. */
async function followed(
  steps: readonly ReadonlyMap<string, KeyContent>[],
  asked: (turn: number) => readonly Question[],
): Promise<Decision[]> {
  const told: { readonly snapshot: Snapshot; readonly questions: readonly Question[]; readonly said: Decision[] }[] =
    [];
  let parts = NOTHING;
  for (const [turn, changed] of steps.entries()) {
    parts = await rebuild(parts, names, changed);
    const snapshot = new Snapshot(parts);
    const questions = asked(turn);
    const said = answers(snapshot, questions);
    expect(said).toEqual(answers(withoutIndex(snapshot), questions));
    told.push({ snapshot, questions, said });
  }
  for (const { snapshot, questions, said } of told) expect(answers(snapshot, questions)).toEqual(said);
  return told.flatMap(({ said }) => said);
}

const kindOf = (decision: Decision): string =>
  decision.kind === 'allow' ? `allowed in ${decision.via.length} steps` : 'denied';

describe('a decision by the index of access', () => {
  it('is that of a walk, whatever changes in a small world, broken records included', async () => {
    const everything = SUBJECTS.flatMap((subject) =>
      TARGETS.map((target): Question => ({ subject, target, access: undefined, mayBeAdmin: true })),
    );
    const seen = { allow: 0, deny: 0 };
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 1, maxLength: 8 }),
        fc.array(question, { minLength: 10, maxLength: 10 }),
        async (steps, questions) => {
          const said = await followed(steps, () => [...everything, ...questions]);
          for (const { kind } of said) seen[kind] += 1;
        },
      ),
      { numRuns: 2_000 },
    );
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan(50_000);
  }, 120_000);

  it('is that of a walk where long rows on many pages change again and again', async () => {
    const [users, groups, models] = [400, 60, 300];
    const numbers = fc.sample(fc.nat(1_000_000), { numRuns: 60_000, seed: 1 });
    let drawn = 0;
    const below = (limit: number): number => {
      drawn += 1;
      return (numbers[drawn % numbers.length] ?? 0) % limit;
    };
    const times = <T>(count: number, make: (n: number) => T): T[] => Array.from({ length: count }, (_, n) => make(n));
    const hash = (entries: readonly (readonly [string, string])[]): KeyContent => ({
      kind: 'hash',
      fields: Object.fromEntries(entries),
    });
    const grants = (most: number): KeyContent =>
      hash(times(below(most), () => [`INTEGRATION:p:m${below(models)}`, below(3) === 0 ? 'READ' : 'EXECUTE'] as const));
    const members = (): KeyContent => ({ kind: 'set', members: times(below(40), () => `u${below(users)}`) });
    const records = (prefix: string, count: number): KeyContent =>
      hash(
        times(count, (n) => [`${prefix}${n}`, `{"roles":["r${below(8)}","r${below(8)}"]}`] as const).filter(
          () => below(10) > 0,
        ),
      );
    const steps = times(120, (turn) => {
      const changed = new Map<string, KeyContent>();
      for (let count = turn === 0 ? 500 : 5; count > 0; count -= 1) {
        changed.set(`cohere:members:g${below(groups)}`, members());
        changed.set(`cohere:grants:USER:u${below(users)}`, grants(6));
        changed.set(`cohere:grants:GROUP:g${below(groups)}`, grants(turn % 10 === 0 ? 400 : 40));
        changed.set(`cohere:grants:ROLE:r${below(4)}`, grants(20));
      }
      if (turn % 4 === 0) changed.set('cohere:groups', records('g', groups));
      if (turn % 20 === 0) changed.set('cohere:users', records('u', users));
      return changed;
    });
    const said = await followed(steps, () =>
      times(200, () => ({
        subject: { type: 'USER', id: `u${below(users + 20)}` },
        target: { kind: 'model', integration: 'p', model: `m${below(models + 10)}`, tags: [] },
        access: undefined,
        mayBeAdmin: true,
      })),
    );
    expect(new Set(said.map(kindOf))).toEqual(
      new Set(['allowed in 2 steps', 'allowed in 3 steps', 'allowed in 4 steps', 'denied']),
    );
  }, 60_000);
});
