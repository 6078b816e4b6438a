import { describe, expect, it } from 'vitest';
import { accessHeld, type Decision, type DecisionOptions, decide, type Target } from '../../src/rbac/decision.ts';
import { ACCESSES, type Access } from '../../src/rbac/grants.ts';
import { parseSubject, type Subject } from '../../src/rbac/subject.ts';
import { GRANTED, KINDS, TARGETS, WAYS } from './support/matrix.ts';
import { type Written, worldOf } from './support/written-world.ts';

function parsed(subject: string): Subject {
  const read = parseSubject(subject);
  if (read === undefined) throw new Error(`no subject: ${subject}`);
  return read;
}

function ask(world: Written, subject: string, target: Target, options?: DecisionOptions): Decision {
  return decide(worldOf(world), parsed(subject), target, options);
}

const { integration: INTEGRATION, model: MODEL, prompt: PROMPT } = TARGETS;

describe.each(Object.entries(WAYS))('a grant that counts for %s', (_, { subject, holder, world, chain }) => {
  it.each(Object.entries(GRANTED))('on %s gives just what it covers', (granted, covered) => {
    for (const held of ACCESSES) {
      const written = { ...world, grants: { [holder]: { [granted]: held } } };
      for (const kind of KINDS) {
        const { gives = [], runs = [] } = covered[kind] ?? {};
        const target = TARGETS[kind];
        const chainOr = (allowed: boolean) =>
          allowed
            ? { kind: 'allow', via: [...chain, `${held} on ${granted}`] }
            : { kind: 'deny', missing: expect.any(String) };
        expect(ask(written, subject, target), `${held}: run the ${kind}`).toEqual(chainOr(runs.includes(held)));
        for (const access of ACCESSES) {
          const allowed = access === held && gives.includes(held);
          expect(ask(written, subject, target, { access: [access] }), `${held}: ${access} the ${kind}`).toEqual(
            chainOr(allowed),
          );
        }
        const all = accessHeld(worldOf(written), parsed(subject), target);
        expect([...all], `${held}: all that is held on the ${kind}`).toEqual(gives.includes(held) ? [held] : []);
      }
    }
  });
});

describe('somebody without a grant', () => {
  it.each(Object.entries(WAYS))('is denied: %s', (_, { subject, world }) => {
    for (const target of Object.values(TARGETS)) expect(ask(world, subject, target).kind).toBe('deny');
  });

  it('is told the grants that would do, and no tag, which may be nobody’s business', () => {
    expect(ask({}, 'alice', MODEL)).toEqual({
      kind: 'deny',
      missing: 'EXECUTE on INTEGRATION:prod:cohere.embed-v4:0 or INTEGRATION_PROVIDER:prod',
    });
    expect(ask({}, 'alice', INTEGRATION)).toEqual({ kind: 'deny', missing: 'EXECUTE on INTEGRATION_PROVIDER:prod' });
    expect(ask({}, 'alice', PROMPT)).toEqual({ kind: 'deny', missing: 'EXECUTE or READ on PROMPT:summarize' });
  });

  it('is told the access that was asked for', () => {
    expect(ask({}, 'alice', MODEL, { access: ['UPDATE'] })).toEqual({
      kind: 'deny',
      missing: 'UPDATE on INTEGRATION:prod:cohere.embed-v4:0 or INTEGRATION_PROVIDER:prod',
    });
    expect(ask({}, 'alice', TARGETS.application, { access: ['READ', 'DELETE'] })).toEqual({
      kind: 'deny',
      missing: 'READ or DELETE on APPLICATION:billing',
    });
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
    expect(
      ask({ grants }, 'alice', {
        ...MODEL,
        tags: [
          { key: 'x', value: 'y' },
          { key: 'tier', value: 'gold' },
        ],
      }).kind,
    ).toBe('allow');
  });
});

describe('several grants', () => {
  it('give together what each gives, from wherever they come', () => {
    const world: Written = {
      users: { alice: ['reader'] },
      groups: { g: [] },
      members: { g: ['alice'] },
      grants: {
        'USER:alice': { 'INTEGRATION:prod:cohere.embed-v4:0': 'EXECUTE' },
        'GROUP:g': { 'INTEGRATION_PROVIDER:prod': 'DELETE' },
        'ROLE:reader': { 'TAG:tier:gold': 'READ', 'TAG:state:draft': 'EXECUTE,READ', 'PROMPT:summarize': 'UPDATE' },
      },
    };
    const held = (target: Target) => [...accessHeld(worldOf(world), parsed('alice'), target)].sort();
    expect(held(MODEL)).toEqual(['DELETE', 'EXECUTE', 'READ']);
    expect(held(INTEGRATION)).toEqual(['DELETE']);
    expect(held(PROMPT)).toEqual(['READ', 'UPDATE']);
  });

  it('need only give one of what is asked for', () => {
    const world: Written = { grants: { 'USER:alice': { 'INTEGRATION_PROVIDER:prod': 'DELETE,READ' } } };
    const via = (access: Access[]) => ask(world, 'alice', MODEL, { access });
    expect(via(['UPDATE', 'DELETE'])).toMatchObject({ via: ['USER:alice', 'DELETE on INTEGRATION_PROVIDER:prod'] });
    expect(via(['UPDATE', 'EXECUTE']).kind).toBe('deny');
    expect(via([]).kind).toBe('deny');
  });
});

describe('a prompt', () => {
  it('is run by a grant on itself alone, whatever tags it carries and whatever is granted on them', () => {
    const tagged: Written = { grants: { 'USER:alice': { 'TAG:state:draft': 'CREATE,READ,EXECUTE,UPDATE,DELETE' } } };
    expect(ask(tagged, 'alice', PROMPT).kind).toBe('deny');
    expect(ask(tagged, 'alice', PROMPT, { access: ['EXECUTE'] }).kind).toBe('deny');
    expect(ask(tagged, 'alice', PROMPT, { access: ['READ'] }).kind).toBe('allow');
    const { tags: _, ...untagged } = PROMPT;
    expect(ask(tagged, 'alice', untagged, { access: ['READ'] }).kind).toBe('deny');
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
    for (const target of Object.values(TARGETS)) {
      expect(ask(world, subject, target)).toEqual({ kind: 'allow', via });
      expect(ask(world, subject, target, { mayBeAdmin: true })).toEqual({ kind: 'allow', via });
      expect(ask(world, subject, target, { mayBeAdmin: false }).kind).toBe('deny');
    }
  });

  it('holds every access, except where the subject is only inferred', () => {
    const world: Written = { users: { alice: ['ADMIN'] }, grants: { 'ROLE:ADMIN': { 'PROMPT:summarize': 'READ' } } };
    for (const target of Object.values(TARGETS)) {
      expect([...accessHeld(worldOf(world), parsed('alice'), target)]).toEqual([...ACCESSES]);
      expect([...accessHeld(worldOf(world), parsed('alice'), target, { mayBeAdmin: false })]).toEqual([]);
      for (const access of ACCESSES) {
        expect(ask(world, 'alice', target, { access: [access] }).kind).toBe('allow');
        expect(ask(world, 'alice', target, { access: [access], mayBeAdmin: false }).kind).toBe('deny');
      }
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
    expect(ask(world, 'app:claims', MODEL, { mayBeAdmin: false }).kind).toBe('allow');
    expect(ask(world, 'app:claims', PROMPT, { mayBeAdmin: false }).kind).toBe('deny');
  });
});
