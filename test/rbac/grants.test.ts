import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ACCESSES,
  formatAccess,
  integrationTarget,
  modelTarget,
  parseAccess,
  promptTarget,
  tagTarget,
  targetFault,
} from '../../src/rbac/grants.ts';

describe('access as a grant says it', () => {
  it.each([
    ['EXECUTE', ['EXECUTE']],
    ['READ,EXECUTE', ['READ', 'EXECUTE']],
    [' READ , EXECUTE ', ['READ', 'EXECUTE']],
    ['READ,READ', ['READ']],
  ])('%j is %j', (text, words) => {
    expect(parseAccess(text)).toEqual({ access: new Set(words) });
  });

  it.each(['', ' ', ',', 'READ,', 'READ;EXECUTE', 'execute', 'ALL', '*', 'READ EXECUTE', 'READ,FLY', '["READ"]'])(
    '%j is at fault, as a whole',
    (text) => {
      expect(parseAccess(text)).toEqual({ fault: expect.stringContaining('CREATE, READ, EXECUTE, UPDATE, DELETE') });
    },
  );

  it('is written in one order and comes back the same', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray([...ACCESSES], { minLength: 1 }), (words) => {
        const text = formatAccess(words);
        expect(text.split(',')).toEqual(ACCESSES.filter((word) => words.includes(word)));
        expect(parseAccess(text)).toEqual({ access: new Set(words) });
      }),
    );
  });
});

describe('the target of a grant', () => {
  it.each([
    [integrationTarget('prod'), 'INTEGRATION_PROVIDER:prod'],
    [modelTarget('prod', 'cohere.embed-v4:0'), 'INTEGRATION:prod:cohere.embed-v4:0'],
    [promptTarget('summarize'), 'PROMPT:summarize'],
    [tagTarget('tier', 'gold'), 'TAG:tier:gold'],
  ])('is %s and has no fault', (target, written) => {
    expect(target).toBe(written);
    expect(targetFault(written)).toBeUndefined();
  });

  it.each([
    'APPLICATION:claims',
    'WORKFLOW_DEF:claims_*',
    'TAG:tier:',
    'TAG:tier:a:b',
    'PROMPT:a:b',
    'INTEGRATION:prod:a b',
  ])('may be %s', (target) => {
    expect(targetFault(target)).toBeUndefined();
  });

  it.each([
    ['INTEGRATION:prod', /INTEGRATION_PROVIDER:provider/],
    ['INTEGRATION:prod:', /INTEGRATION:provider:model/],
    ['INTEGRATION::model', /INTEGRATION:provider:model/],
    ['TAG:gold', /TAG:key:value/],
    ['TAG::gold', /TAG:key:value/],
    ['PROMPT:', /TYPE:id/],
    ['PROMPT', /TYPE:id/],
    ['prompt:x', /TYPE:id/],
    [':x', /TYPE:id/],
    ['', /TYPE:id/],
    ['*', /TYPE:id/],
  ])('may not be %j', (target, fault) => {
    expect(targetFault(target)).toMatch(fault);
  });
});
