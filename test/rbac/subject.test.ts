import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  applicationIdOf,
  applicationUser,
  holderId,
  parseSubject,
  parseSubjectId,
  subjectId,
  user,
} from '../../src/rbac/subject.ts';

describe('a subject as people type it', () => {
  it.each([
    ['USER:alice@example.com', 'USER', 'alice@example.com'],
    ['GROUP:analysts', 'GROUP', 'analysts'],
    ['ROLE:reader', 'ROLE', 'reader'],
    ['USER:app:claims', 'USER', 'app:claims'],
    ['app:claims', 'USER', 'app:claims'],
    ['alice', 'USER', 'alice'],
    ['alice:smith', 'USER', 'alice:smith'],
    ['GROUP:a:b', 'GROUP', 'a:b'],
    ['USER:USER:x', 'USER', 'USER:x'],
    ['group:x', 'USER', 'group:x'],
  ])('%s is %s %s', (text, type, id) => {
    expect(parseSubject(text)).toEqual({ type, id });
  });

  it.each(['', 'app:', 'USER:', 'GROUP:', 'ROLE:'])('%j is nobody', (text) => {
    expect(parseSubject(text)).toBeUndefined();
  });
});

describe('a subject as Redis names it', () => {
  it.each(['alice', 'app:claims', 'user:alice', 'TEAM:x', '', ':x', 'USER', 'USER:', ' USER:x'])(
    '%j is none: type and id are exact',
    (text) => {
      expect(parseSubjectId(text)).toBeUndefined();
    },
  );

  it('comes back from its id, whatever the id holds', () => {
    const subject = fc.record({
      type: fc.constantFrom('USER' as const, 'GROUP' as const, 'ROLE' as const),
      id: fc.string({ unit: 'binary', minLength: 1 }),
    });
    fc.assert(
      fc.property(subject, (one) => {
        expect(parseSubjectId(subjectId(one))).toEqual(one);
      }),
    );
  });
});

describe('an application', () => {
  it('is a user whose id begins with app:', () => {
    expect(applicationUser('claims')).toEqual(user('app:claims'));
    expect(applicationIdOf(applicationUser('claims'))).toBe('claims');
    expect(applicationIdOf(user('App:claims'))).toBeUndefined();
    expect(applicationIdOf(user('claims'))).toBeUndefined();
  });

  it('is no group or role whose name begins with app:', () => {
    expect(applicationIdOf({ type: 'GROUP', id: 'app:claims' })).toBeUndefined();
    expect(applicationIdOf({ type: 'ROLE', id: 'app:claims' })).toBeUndefined();
  });
});

describe('the id of a holder', () => {
  it('is its id, however often and of however many it is asked', () => {
    // Past what is remembered, and once more for those that were forgotten.
    for (let round = 0; round < 2; round += 1) {
      for (let index = 0; index < 60_000; index += 1) {
        const id = `g${index}`;
        if (holderId('GROUP', id) !== `GROUP:${id}`) throw new Error(`round ${round}: GROUP ${id}`);
        if (index % 100 === 0)
          expect([holderId('ROLE', id), holderId('USER', id)]).toEqual([`ROLE:${id}`, `USER:${id}`]);
      }
    }
  });
});
