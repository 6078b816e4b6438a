import { describe, expect, it } from 'vitest';
import { applicationRecord } from '../../src/rbac/records.ts';
import { type SubjectSource, subjectOf, type TaskOrigin } from '../../src/rbac/task-subject.ts';

const ORIGIN: TaskOrigin = { workflowType: 'claims_intake' };
const EVERYTHING: TaskOrigin = { ...ORIGIN, createdBy: 'alice@example.com', ownerEmail: 'owner@example.com' };
const SOURCES: readonly SubjectSource[] = ['token', 'creator', 'application'];

function ask(sources: readonly SubjectSource[], origin: TaskOrigin, applications: Record<string, string[]> = {}) {
  return subjectOf(
    sources,
    origin,
    Object.entries(applications).map(([id, workflows]) => [id, applicationRecord.parse({ workflows })] as const),
  );
}

const CLAIMS = { claims: ['claims_*'] };
const creator = {
  kind: 'known',
  subject: { type: 'USER', id: 'alice@example.com' },
  source: 'creator',
  mayBeAdmin: true,
};
const application = {
  kind: 'known',
  subject: { type: 'USER', id: 'app:claims' },
  source: 'application',
  mayBeAdmin: false,
};
const token = {
  kind: 'known',
  subject: { type: 'USER', id: 'app:robot' },
  source: 'token',
  mayBeAdmin: true,
};
const owner = {
  kind: 'known',
  subject: { type: 'USER', id: 'owner@example.com' },
  source: 'owner',
  mayBeAdmin: false,
};

describe('the subject of a task', () => {
  it('is the first source that answers, in the order they are given', () => {
    expect(ask(['creator', 'application', 'owner'], EVERYTHING, CLAIMS)).toEqual(creator);
    expect(ask(['application', 'creator', 'owner'], EVERYTHING, CLAIMS)).toEqual(application);
    expect(ask(['owner', 'creator', 'application'], EVERYTHING, CLAIMS)).toEqual(owner);
  });

  it('falls through sources that say nothing', () => {
    expect(ask(SOURCES, ORIGIN, CLAIMS)).toEqual(application);
    expect(ask(SOURCES, { ...ORIGIN, createdBy: '' }, CLAIMS)).toEqual(application);
    expect(ask(['application', 'creator'], EVERYTHING, { other: ['other_*'] })).toEqual(creator);
  });

  it('is the application that started the workflow, where Conductor says so', () => {
    expect(ask(SOURCES, { ...ORIGIN, createdBy: 'app:claims' })).toMatchObject({
      subject: { type: 'USER', id: 'app:claims' },
      mayBeAdmin: true,
    });
  });

  const TOKEN = { kind: 'known', subject: { type: 'USER', id: 'app:robot' } } as const;

  it('is whom a token proves, wherever that is asked first', () => {
    expect(ask(SOURCES, { ...EVERYTHING, token: TOKEN }, CLAIMS)).toEqual(token);
    expect(ask(['creator', 'token'], { ...EVERYTHING, token: TOKEN }, CLAIMS)).toEqual(creator);
    expect(ask(['creator', 'token'], { ...ORIGIN, token: TOKEN }, CLAIMS)).toEqual(token);
  });

  it.each(['TOKEN_EXPIRED', 'TOKEN_INVALID'] as const)(
    'is nobody where a token is present that proves nothing (%s), whatever else is known',
    (code) => {
      const refused = { kind: 'refused', code, reason: 'why' } as const;
      const all: SubjectSource[] = ['token', 'creator', 'application', 'owner'];
      expect(ask(all, { ...EVERYTHING, token: refused }, CLAIMS)).toEqual(refused);
    },
  );

  it('is not asked of a token that is no source', () => {
    const refused = { kind: 'refused', code: 'TOKEN_INVALID', reason: 'why' } as const;
    expect(ask(['creator'], { ...EVERYTHING, token: refused })).toEqual(creator);
    expect(ask(['creator'], { ...EVERYTHING, token: TOKEN })).toEqual(creator);
  });

  it('is nobody without a token where only that is asked, and it is said what to do', () => {
    expect(ask(['token'], EVERYTHING, CLAIMS)).toEqual({
      kind: 'refused',
      reason: expect.stringContaining('a token for tasks as the input accessToken'),
    });
  });

  it('is the owner only where that is chosen', () => {
    expect(ask(SOURCES, { ...ORIGIN, ownerEmail: 'owner@example.com' }).kind).toBe('refused');
    expect(ask(['owner'], EVERYTHING)).toEqual(owner);
  });

  it('is never an application because an owner’s address says so', () => {
    expect(ask(['owner'], { ...ORIGIN, ownerEmail: 'app:claims' }, CLAIMS).kind).toBe('refused');
    expect(ask(['owner'], { ...ORIGIN, ownerEmail: '' }).kind).toBe('refused');
  });

  it('is nobody where no source answers, with the sources that were asked', () => {
    expect(ask(SOURCES, ORIGIN)).toEqual({
      kind: 'refused',
      reason: expect.stringMatching(/claims_intake.*asked: token, creator, application/),
    });
    expect(ask([], EVERYTHING, CLAIMS).kind).toBe('refused');
  });
});

describe('the application of a workflow', () => {
  it('is the only one whose patterns match, by any of its patterns', () => {
    expect(ask(['application'], ORIGIN, { claims: ['x', 'claims_*', '*_intake'], other: ['other'] })).toEqual(
      application,
    );
  });

  it('is nobody where several match, which are named, and no further source is asked', () => {
    const answer = ask(['application', 'creator', 'owner'], EVERYTHING, {
      zeta: ['claims_*'],
      alpha: ['*'],
      other: ['other'],
    });
    expect(answer).toEqual({ kind: 'refused', reason: expect.stringMatching(/claims_intake.*\(alpha, zeta\)/) });
  });

  it('is none without patterns: empty is not all', () => {
    expect(ask(['application'], ORIGIN, { claims: [] }).kind).toBe('refused');
  });

  it('is judged by the whole name', () => {
    expect(ask(['application'], ORIGIN, { claims: ['claims'] }).kind).toBe('refused');
    expect(ask(['application'], { ...ORIGIN, workflowType: 'CLAIMS_x' }, CLAIMS).kind).toBe('refused');
  });

  it('is only read as often as it is asked for', () => {
    function* unreadable(): Generator<never> {
      yield* [];
      throw new Error('asked for');
    }
    expect(subjectOf(['creator', 'application'], EVERYTHING, unreadable())).toEqual(creator);
  });
});
