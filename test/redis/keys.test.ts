import { describe, expect, it } from 'vitest';
import { HASH_KINDS, keyNames } from '../../src/redis/keys.ts';

describe('the keys of the contract', () => {
  const keys = keyNames('cohere:');

  it.each(HASH_KINDS)('cohere:%s is a hash of records', (kind) => {
    expect(keys.hash(kind)).toBe(`cohere:${kind}`);
    expect(keys.parse(`cohere:${kind}`)).toEqual({ kind });
  });

  it('name the members of a group and the grants of a subject, whatever those are called', () => {
    expect(keys.members('analysts')).toBe('cohere:members:analysts');
    expect(keys.grants('USER:app:claims')).toBe('cohere:grants:USER:app:claims');
    for (const name of ['analysts', 'a:b', '*', 'members:x', '']) {
      expect(keys.parse(keys.members(name))).toEqual({ kind: 'members', group: name });
      expect(keys.parse(keys.grants(name))).toEqual({ kind: 'grants', subject: name });
    }
  });

  it('have the denials and the canary under run', () => {
    expect(keys.denials).toBe('cohere:run:denials');
    expect(keys.canary).toBe('cohere:run:canary');
  });

  it('have what lanes share under run', () => {
    expect(keys.waiting).toBe('cohere:run:waiting');
    expect(Object.values(keys.lane('prod:x')).sort()).toEqual(
      ['askers', 'due', 'leases', 'rates', 'throttle', 'tickets'].map((part) => `cohere:run:lane:prod:x:${part}`),
    );
  });

  it('have what only administrators read under admin, of which no worker is told', () => {
    expect(keys.admin).toEqual({
      signing: 'cohere:admin:signing',
      keyHashes: 'cohere:admin:key-hashes',
      bootstrap: 'cohere:admin:bootstrap',
    });
    for (const key of Object.values(keys.admin)) {
      expect(keys.trackedPrefixes.some((prefix) => key.startsWith(prefix))).toBe(false);
    }
  });

  it('have the workflow of a token under run', () => {
    expect(keys.tokenPin('jti')).toBe('cohere:run:token:jti');
  });

  it('have the ledger of workers under run', () => {
    const { held, claim, answer, ticket, ...one } = keys.ledger;
    expect(one).toEqual({
      workers: 'cohere:run:workers',
      epoch: 'cohere:run:epoch',
      primary: 'cohere:run:primary',
      suspects: 'cohere:run:suspects',
      sweep: 'cohere:run:sweep',
    });
    expect([held('pod/1'), claim('t'), answer('t'), ticket('t')]).toEqual([
      'cohere:run:held:pod/1',
      'cohere:run:claim:t',
      'cohere:run:answer:t',
      'cohere:run:ticket:t',
    ]);
  });

  it.each([
    'cohere:run:denials',
    'cohere:run:canary',
    'cohere:run:held:pod/1',
    'cohere:audit',
    'cohere:admin:keys',
    'cohere:',
    'cohere:integrations:x',
    'integrations',
  ])('do not count %s to the catalog', (key) => {
    expect(keys.parse(key)).toBeUndefined();
  });

  it('that are tracked are those of the catalog and the canary, never the rest of the runtime’s', () => {
    const tracked = (key: string) => keys.trackedPrefixes.some((prefix) => key.startsWith(prefix));
    for (const kind of HASH_KINDS) expect(tracked(keys.hash(kind))).toBe(true);
    expect([keys.members('g'), keys.grants('USER:x'), keys.canary].every(tracked)).toBe(true);
    expect(
      [
        'cohere:run:denials',
        keys.ledger.workers,
        keys.ledger.held('x'),
        'cohere:audit',
        'cohere:admin:x',
        'other:users',
      ].some(tracked),
    ).toBe(false);
  });

  it('that are tracked do not overlap, which Redis refuses', () => {
    for (const [index, one] of keys.trackedPrefixes.entries()) {
      for (const other of keys.trackedPrefixes.slice(index + 1)) {
        expect(one.startsWith(other) || other.startsWith(one)).toBe(false);
      }
    }
  });
});

describe('another prefix', () => {
  it('stands before every key', () => {
    const keys = keyNames('{my}:');
    const all = [
      keys.hash('users'),
      keys.members('g'),
      keys.grants('USER:x'),
      keys.denials,
      keys.canary,
      keys.ledger.claim('t'),
      ...keys.trackedPrefixes,
    ];
    expect(all.every((key) => key.startsWith('{my}:'))).toBe(true);
    expect(keys.parse('cohere:users')).toBeUndefined();
  });

  it('is taken literally by the patterns for SCAN', () => {
    expect(keyNames('a*[b]?\\:').familyPatterns).toEqual([
      'a\\*\\[b\\]\\?\\\\:members:*',
      'a\\*\\[b\\]\\?\\\\:grants:*',
    ]);
    expect(keyNames('{my}:').familyPatterns).toEqual(['{my}:members:*', '{my}:grants:*']);
  });
});
