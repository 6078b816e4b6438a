import { describe, expect, it } from 'vitest';
import { type Decision, decide, type Target } from '../../src/rbac/decision.ts';
import { ACCESSES } from '../../src/rbac/grants.ts';
import { parseSubject } from '../../src/rbac/subject.ts';
import { type Written, worldOf } from './support/written-world.ts';

function ask(world: Written, subject: string, target: Target, mayBeAdmin?: boolean): Decision {
  const parsed = parseSubject(subject);
  if (parsed === undefined) throw new Error(`no subject: ${subject}`);
  return decide(worldOf(world), parsed, target, mayBeAdmin === undefined ? {} : { mayBeAdmin });
}

const GOLD = { key: 'tier', value: 'gold' };
const INTEGRATION: Target = { kind: 'integration', integration: 'prod', tags: [GOLD] };
const MODEL: Target = { kind: 'model', integration: 'prod', model: 'cohere.embed-v4:0', tags: [GOLD] };
const PROMPT: Target = { kind: 'prompt', prompt: 'summarize' };

/** Each way a subject can come by a grant: who holds it, and the chain down to the holder. */
const WAYS: Record<string, { subject: string; holder: string; world: Written; chain: string[] }> = {
  'a user itself': { subject: 'alice', holder: 'USER:alice', world: {}, chain: ['USER:alice'] },
  'an application itself': {
    subject: 'app:claims',
    holder: 'USER:app:claims',
    world: { applications: { claims: [] } },
    chain: ['USER:app:claims'],
  },
  'a group itself': { subject: 'GROUP:g', holder: 'GROUP:g', world: { groups: { g: [] } }, chain: ['GROUP:g'] },
  'a role itself': { subject: 'ROLE:reader', holder: 'ROLE:reader', world: {}, chain: ['ROLE:reader'] },
  'a user through its group': {
    subject: 'alice',
    holder: 'GROUP:g',
    world: { groups: { g: [] }, members: { g: ['alice'] } },
    chain: ['USER:alice', 'GROUP:g'],
  },
  'an application through its group': {
    subject: 'app:claims',
    holder: 'GROUP:g',
    world: { applications: { claims: [] }, groups: { g: [] }, members: { g: ['app:claims'] } },
    chain: ['USER:app:claims', 'GROUP:g'],
  },
  'a user through a role of its record': {
    subject: 'alice',
    holder: 'ROLE:reader',
    world: { users: { alice: ['reader'] } },
    chain: ['USER:alice', 'ROLE:reader'],
  },
  'an application through a role of its record': {
    subject: 'app:claims',
    holder: 'ROLE:reader',
    world: { applications: { claims: ['reader'] } },
    chain: ['USER:app:claims', 'ROLE:reader'],
  },
  'a user through a role of its group': {
    subject: 'alice',
    holder: 'ROLE:reader',
    world: { groups: { g: ['reader'] }, members: { g: ['alice'] } },
    chain: ['USER:alice', 'GROUP:g', 'ROLE:reader'],
  },
  'a group through its role': {
    subject: 'GROUP:g',
    holder: 'ROLE:reader',
    world: { groups: { g: ['reader'] } },
    chain: ['GROUP:g', 'ROLE:reader'],
  },
};

/** What a grant on each target allows: the kinds of targets, by the access that is enough. */
const GRANTED: Record<string, { EXECUTE: string[]; READ: string[] }> = {
  'INTEGRATION:prod:cohere.embed-v4:0': { EXECUTE: ['model'], READ: [] },
  'INTEGRATION:prod:another': { EXECUTE: [], READ: [] },
  'INTEGRATION_PROVIDER:prod': { EXECUTE: ['integration', 'model'], READ: [] },
  'INTEGRATION_PROVIDER:pro': { EXECUTE: [], READ: [] },
  'TAG:tier:gold': { EXECUTE: ['integration', 'model'], READ: [] },
  'TAG:tier:silver': { EXECUTE: [], READ: [] },
  'PROMPT:summarize': { EXECUTE: ['prompt'], READ: ['prompt'] },
  'PROMPT:another': { EXECUTE: [], READ: [] },
};

describe.each(Object.entries(WAYS))('a grant that counts for %s', (_, { subject, holder, world, chain }) => {
  it.each(Object.entries(GRANTED))('on %s allows just what it covers, by just the access needed', (granted, enough) => {
    for (const access of ACCESSES) {
      for (const target of [INTEGRATION, MODEL, PROMPT]) {
        const covered = access === 'EXECUTE' || access === 'READ' ? enough[access] : [];
        const decision = ask({ ...world, grants: { [holder]: { [granted]: access } } }, subject, target);
        expect(decision, `${access} for the ${target.kind}`).toEqual(
          covered.includes(target.kind)
            ? { kind: 'allow', via: [...chain, `${access} on ${granted}`] }
            : { kind: 'deny', missing: expect.any(String) },
        );
      }
    }
  });
});

describe('somebody without a grant', () => {
  it.each(Object.entries(WAYS))('is denied: %s', (_, { subject, world }) => {
    for (const target of [INTEGRATION, MODEL, PROMPT]) expect(ask(world, subject, target).kind).toBe('deny');
  });

  it('is told the grants that would do, and no tag, which may be nobody’s business', () => {
    expect(ask({}, 'alice', MODEL)).toEqual({
      kind: 'deny',
      missing: 'EXECUTE on INTEGRATION:prod:cohere.embed-v4:0 or INTEGRATION_PROVIDER:prod',
    });
    expect(ask({}, 'alice', INTEGRATION)).toEqual({ kind: 'deny', missing: 'EXECUTE on INTEGRATION_PROVIDER:prod' });
    expect(ask({}, 'alice', PROMPT)).toEqual({ kind: 'deny', missing: 'EXECUTE or READ on PROMPT:summarize' });
  });

  it('is told that its record is missing, where that comes first', () => {
    expect(ask({}, 'app:claims', PROMPT)).toEqual({
      kind: 'deny',
      missing: 'the record of application claims, then EXECUTE or READ on PROMPT:summarize',
    });
    expect(ask({}, 'GROUP:g', PROMPT)).toEqual({
      kind: 'deny',
      missing: 'the record of group g, then EXECUTE or READ on PROMPT:summarize',
    });
  });

  it('gets nothing from lists that are empty', () => {
    const world: Written = {
      users: { alice: [] },
      groups: { g: [] },
      members: { g: ['alice'], h: [] },
      grants: { 'USER:alice': {}, 'GROUP:g': {} },
    };
    expect(ask(world, 'alice', { ...MODEL, tags: [] }).kind).toBe('deny');
  });

  it('gets nothing from a grant that somebody else holds', () => {
    const grants = {
      'USER:bob': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      'GROUP:alice': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      'ROLE:alice': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      'USER:': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      'USER:Alice': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      'USER:app:alice': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
    };
    expect(ask({ groups: { alice: [] }, applications: { alice: [] }, grants }, 'alice', MODEL).kind).toBe('deny');
  });

  it('gets nothing from a tag that the target does not carry', () => {
    const grants = { 'USER:alice': { 'TAG:tier:gold': 'EXECUTE' } };
    expect(ask({ grants }, 'alice', { ...MODEL, tags: [] }).kind).toBe('deny');
    expect(ask({ grants }, 'alice', { ...MODEL, tags: [{ key: 'tier', value: 'gold:x' }] }).kind).toBe('deny');
    expect(ask({ grants }, 'alice', { ...MODEL, tags: [{ key: 'x', value: 'y' }, GOLD] }).kind).toBe('allow');
  });
});

describe('a record that is gone', () => {
  it('of a group: its grants and its roles, ADMIN too, count for no member and not for itself', () => {
    const world: Written = {
      members: { g: ['alice'] },
      grants: { 'GROUP:g': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' } },
    };
    expect(ask(world, 'alice', MODEL).kind).toBe('deny');
    expect(ask(world, 'GROUP:g', MODEL).kind).toBe('deny');
    expect(ask({ ...world, groups: { g: [] } }, 'alice', MODEL).kind).toBe('allow');
  });

  it('of an application: neither its grants nor its groups count, nor a user of that id', () => {
    const world: Written = {
      users: { 'app:claims': ['ADMIN'] },
      groups: { g: ['ADMIN'] },
      members: { g: ['app:claims'] },
      grants: {
        'USER:app:claims': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
        'GROUP:g': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' },
      },
    };
    expect(ask(world, 'app:claims', MODEL).kind).toBe('deny');
  });

  it('of a user changes nothing: a user needs none', () => {
    const world: Written = { groups: { g: ['ADMIN'] }, members: { g: ['alice'] } };
    expect(ask(world, 'alice', MODEL).kind).toBe('allow');
  });

  it('of an application is not made up for by a user record, whose roles are not the application’s', () => {
    const world: Written = { applications: { claims: [] }, users: { 'app:claims': ['ADMIN'] } };
    expect(ask(world, 'app:claims', MODEL).kind).toBe('deny');
  });
});

describe('ADMIN', () => {
  it.each<[string, Written, string, string[]]>([
    ['of a user’s record', { users: { alice: ['USER', 'ADMIN'] } }, 'alice', ['USER:alice', 'ROLE:ADMIN']],
    [
      'of an application’s record',
      { applications: { claims: ['ADMIN'] } },
      'app:claims',
      ['USER:app:claims', 'ROLE:ADMIN'],
    ],
    [
      'of a group',
      { groups: { g: ['ADMIN'] }, members: { g: ['alice'] } },
      'alice',
      ['USER:alice', 'GROUP:g', 'ROLE:ADMIN'],
    ],
  ])('%s allows everything, except where the subject is only inferred', (_, world, subject, via) => {
    for (const target of [INTEGRATION, MODEL, PROMPT]) {
      expect(ask(world, subject, target)).toEqual({ kind: 'allow', via });
      expect(ask(world, subject, target, true)).toEqual({ kind: 'allow', via });
      expect(ask(world, subject, target, false).kind).toBe('deny');
    }
  });

  it('is the exact word', () => {
    for (const role of ['admin', 'ADMIN ', 'SUPERADMIN', 'ADMIN:x', 'ROLE:ADMIN']) {
      expect(ask({ users: { alice: [role] } }, 'alice', MODEL).kind).toBe('deny');
    }
  });

  it('is nothing that a user or a group of that name has', () => {
    expect(ask({ groups: { ADMIN: [] }, members: { ADMIN: ['alice'] } }, 'alice', MODEL).kind).toBe('deny');
    expect(ask({}, 'ADMIN', MODEL).kind).toBe('deny');
  });

  it('that may not count leaves the subject its own grants', () => {
    const world: Written = {
      applications: { claims: ['ADMIN'] },
      grants: { 'USER:app:claims': { 'INTEGRATION_PROVIDER:prod': 'EXECUTE' } },
    };
    expect(ask(world, 'app:claims', MODEL, false).kind).toBe('allow');
    expect(ask(world, 'app:claims', PROMPT, false).kind).toBe('deny');
  });
});
