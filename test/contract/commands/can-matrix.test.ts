import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadSnapshot } from '../../../src/catalog/load.ts';
import type { Snapshot } from '../../../src/catalog/snapshot.ts';
import { type CanQuestion, runCan } from '../../../src/commands/can.ts';
import type { Terminal } from '../../../src/commands/terminal.ts';
import { ACCESSES } from '../../../src/rbac/grants.ts';
import { GRANTED, KINDS, type Kind, TARGETS, WAYS } from '../../rbac/support/matrix.ts';
import { INTEGRATION, type Installation, install } from './installation.ts';

/** What is switched off; nothing else about the records differs. */
const STATES = {
  'everything on': { integration: true, model: true },
  'the integration off': { integration: false, model: true },
  'the model off': { integration: true, model: false },
  'both off': { integration: false, model: false },
} as const;
type State = keyof typeof STATES;

/** Whether a task could run on it, if it may. A prompt and an application cannot be switched off. */
const RUNNABLE: Readonly<Record<State, readonly Kind[]>> = {
  'everything on': ['integration', 'model', 'prompt'],
  'the integration off': ['prompt'],
  'the model off': ['integration', 'prompt'],
  'both off': ['prompt'],
};

const ASKED: Readonly<Record<Kind, string>> = {
  integration: 'prod',
  model: 'prod:cohere.embed-v4:0',
  prompt: 'PROMPT:summarize',
  application: 'APPLICATION:billing',
};

let here: Installation;
beforeAll(async () => {
  here = await install();
  await here.put('prompts', 'summarize', { template: 't', tags: TARGETS.prompt.tags });
});
afterAll(() => here[Symbol.asyncDispose]());

/** One way and one state in Redis, with grants to nobody yet. `role`: in place of the role that the way has. */
async function arrange(way: keyof typeof WAYS, state: State, role?: string): Promise<void> {
  const { redis, names, put } = here;
  const { world } = WAYS[way] ?? {};
  const members = await redis.keys(`${names.prefix}members:*`);
  await redis.del(names.hash('users'), names.hash('groups'), names.hash('applications'), ...members);
  for (const kind of ['users', 'groups', 'applications'] as const) {
    for (const [id, roles] of Object.entries(world?.[kind] ?? {})) {
      await put(kind, id, { roles: role === undefined ? roles : roles.map(() => role) });
    }
  }
  for (const [group, ids] of Object.entries(world?.members ?? {})) await redis.sadd(names.members(group), ids);
  await put('applications', 'billing', { tags: TARGETS.application.tags });
  const [own] = TARGETS.model.tags;
  await put('integrations', 'prod', {
    ...INTEGRATION,
    enabled: STATES[state].integration,
    tags: TARGETS.integration.tags,
  });
  await put('models', ASKED.model, { enabled: STATES[state].model, tags: [own] });
}

function can(snapshot: Snapshot, question: CanQuestion): { allowed: boolean; via: string[]; missing: string } {
  let answer: unknown;
  const same = (text: string) => text;
  const ignore = () => undefined;
  const terminal: Terminal = {
    json: true,
    say: ignore,
    sayText: ignore,
    warn: ignore,
    result: (value) => {
      answer = value;
    },
    ...{ good: same, bad: same, changed: same, faint: same },
  };
  const code = runCan(snapshot, question, terminal);
  const read = answer as { allowed: boolean; via: string[]; missing: string };
  expect(code).toBe(read.allowed ? 0 : 1);
  return read;
}

describe.each(Object.keys(STATES) as State[])('with %s', (state) => {
  it.each(Object.entries(WAYS))('`can` says of %s what each grant gives', async (way, { subject, holder, chain }) => {
    await arrange(way, state);
    const key = here.names.grants(holder);
    for (const [granted, covered] of Object.entries(GRANTED)) {
      for (const held of ACCESSES) {
        await here.redis.del(key);
        await here.redis.hset(key, granted, held);
        const snapshot = await loadSnapshot(here.redis, here.names);
        for (const kind of KINDS) {
          const target = ASKED[kind];
          const what = `${held} on ${granted}, asked about ${target}`;
          const { gives = [], runs = [] } = covered[kind] ?? {};
          const isOn = kind === 'application' || RUNNABLE[state].includes(kind);
          const via = [...chain, `${held} on ${granted}`];
          for (const access of ACCESSES) {
            const allowed = access === held && gives.includes(held) && (access !== 'EXECUTE' || isOn);
            const answer = can(snapshot, { subject, target, access });
            expect([answer.allowed, answer.via], `${what}: ${access}`).toEqual([allowed, allowed ? via : []]);
          }
          if (kind === 'application') continue;
          const allowed = runs.includes(held) && isOn;
          const answer = can(snapshot, { subject, target });
          expect([answer.allowed, answer.via], `${what}: run`).toEqual([allowed, allowed ? via : []]);
          if (!isOn) expect(answer.missing).toMatch(/is switched off$/);
        }
      }
    }
    await here.redis.del(key);
  });

  it.each<[string, string, keyof typeof WAYS, string[]]>([
    ['a user', 'alice', 'a user through a role of its record', ['USER:alice', 'ROLE:ADMIN']],
    ['a member', 'alice', 'a user through a role of its group', ['USER:alice', 'GROUP:g', 'ROLE:ADMIN']],
    ['an application', 'app:claims', 'an application through a role of its record', ['USER:app:claims', 'ROLE:ADMIN']],
    ['the role', 'ROLE:ADMIN', 'a role itself', ['ROLE:ADMIN']],
  ])('`can` says of ADMIN, %s, that it may do all that can be done', async (_, subject, way, via) => {
    await arrange(way, state, 'ADMIN');
    const snapshot = await loadSnapshot(here.redis, here.names);
    for (const kind of KINDS) {
      const target = ASKED[kind];
      const isOn = kind === 'application' || RUNNABLE[state].includes(kind);
      for (const access of ACCESSES) {
        const allowed = access !== 'EXECUTE' || isOn;
        const answer = can(snapshot, { subject, target, access });
        expect([answer.allowed, answer.via], `${access} ${target}`).toEqual([allowed, allowed ? via : []]);
      }
      if (kind !== 'application') expect(can(snapshot, { subject, target }).allowed, `run ${target}`).toBe(isOn);
    }
  });
});
