import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { accessHeld, type Decision, decide, isAdmin } from '../../src/rbac/decision.ts';
import { ACCESSES } from '../../src/rbac/grants.ts';
import { PERMISSIONS, type Permission, permissionsOf } from '../../src/rbac/permissions.ts';
import { parseSubjectId, type Subject } from '../../src/rbac/subject.ts';
import { casbinOracle } from './support/casbin-oracle.ts';
import {
  asWorld,
  type Drawn,
  drawnQuestion,
  drawnWorld,
  type Question,
  SUBJECTS,
  targetNamed,
} from './support/drawn-world.ts';

function parsed(subject: string): Subject {
  const read = parseSubjectId(subject);
  if (read === undefined) throw new Error(subject);
  return read;
}

function decided(drawn: Drawn, { subject, name, act, mayBeAdmin }: Question): Decision {
  const access = act === 'RUN' ? {} : { access: [act] };
  return decide(asWorld(drawn), parsed(subject), targetNamed(drawn, name), { ...access, mayBeAdmin });
}

/** What follows directly from being `name`: the groups and roles it stands for, too. */
function alsoIs(drawn: Drawn, name: string): string[] {
  const [type, id] = [name.slice(0, name.indexOf(':')), name.slice(name.indexOf(':') + 1)];
  const rolesIn = (list: Drawn['users'], wanted: string) =>
    list.filter((one) => one.id === wanted).flatMap(({ roles }) => roles.map((role) => `ROLE:${role}`));
  if (type === 'ROLE') return [];
  if (type === 'GROUP') return rolesIn(drawn.groups, id);
  const living = drawn.members
    .filter(({ member, group }) => member === id && drawn.groups.some((one) => one.id === group))
    .map(({ group }) => `GROUP:${group}`);
  return [
    ...living,
    ...(id.startsWith('app:') ? rolesIn(drawn.applications, id.slice('app:'.length)) : rolesIn(drawn.users, id)),
  ];
}

const QUESTIONS_A_WORLD = 4;

describe('a decision in any small world', () => {
  it('is the one that casbin comes to by the same rules', async () => {
    const seen = { allow: 0, deny: 0 };
    const questions = fc.array(drawnQuestion, { minLength: QUESTIONS_A_WORLD, maxLength: QUESTIONS_A_WORLD });
    const wanted = fc.record({
      subject: fc.constantFrom(...SUBJECTS),
      permission: fc.constantFrom(...(Object.keys(PERMISSIONS) as Permission[])),
    });
    await fc.assert(
      fc.asyncProperty(drawnWorld, questions, wanted, async (drawn, asked, { subject, permission }) => {
        const oracle = await casbinOracle(drawn);
        for (const question of asked) {
          const { kind } = decided(drawn, question);
          seen[kind] += 1;
          expect(kind, JSON.stringify(question)).toBe(oracle.allows(question) ? 'allow' : 'deny');
        }
        const isPermitted = permissionsOf(asWorld(drawn), parsed(subject)).has(permission);
        expect(isPermitted, `${subject} ${permission}`).toBe(oracle.permits(subject, permission));
      }),
      { numRuns: 10_000 },
    );
    // Worlds in which nearly everything ends the same way would prove little.
    expect(Math.min(seen.allow, seen.deny)).toBeGreaterThan((10_000 * QUESTIONS_A_WORLD) / 20);
  }, 120_000);

  it('of one access alone is yes for just the accesses that are held, and for ADMIN yes for all', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(drawnWorld, drawnQuestion, (drawn, question) => {
        const subject = parsed(question.subject);
        const target = targetNamed(drawn, question.name);
        const { mayBeAdmin } = question;
        const held = accessHeld(asWorld(drawn), subject, target, { mayBeAdmin });
        const each = ACCESSES.filter((act) => decided(drawn, { ...question, act }).kind === 'allow');
        expect(each).toEqual(ACCESSES.filter((access) => held.has(access)));
        if (mayBeAdmin && isAdmin(asWorld(drawn), subject)) expect(held.size).toBe(ACCESSES.length);
        seen.add(each.join());
      }),
      { numRuns: 5_000 },
    );
    expect(seen.size).toBeGreaterThan(ACCESSES.length);
  });

  it('is explained by a chain of which every step is true', () => {
    const lengths = new Set<number>();
    fc.assert(
      fc.property(drawnWorld, drawnQuestion, (world, question) => {
        const decision = decided(world, question);
        if (decision.kind === 'deny') return;
        const chain = [...decision.via];
        lengths.add(chain.length);
        const granted = chain.at(-1) === 'ROLE:ADMIN' ? undefined : chain.pop();
        expect(chain[0]).toBe(question.subject);
        for (const [index, name] of chain.slice(1).entries()) {
          expect(alsoIs(world, chain[index] ?? '')).toContain(name);
        }
        if (granted === undefined) {
          expect(question.mayBeAdmin).toBe(true);
          return;
        }
        const [, word = '', target = ''] = /^([A-Z]+) on (.+)$/.exec(granted) ?? [];
        const held = world.grants.find((grant) => grant.subject === chain.at(-1) && grant.target === target);
        expect(held?.access).toContain(word);
      }),
      { numRuns: 5_000 },
    );
    expect(lengths).toEqual(new Set([1, 2, 3, 4]));
  });

  it('never turns to no because somebody is granted more', () => {
    fc.assert(
      fc.property(drawnWorld, drawnQuestion, drawnWorld, (drawn, question, more) => {
        if (decided(drawn, question).kind === 'deny') return;
        const grants = [...drawn.grants, ...more.grants].filter(
          (grant, index, all) =>
            all.findIndex((other) => other.subject === grant.subject && other.target === grant.target) === index,
        );
        expect(decided({ ...drawn, grants }, question).kind).toBe('allow');
      }),
      { numRuns: 2_000 },
    );
  });
});
