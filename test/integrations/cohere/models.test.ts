import { describe, expect, it } from 'vitest';
import {
  COHERE_MODELS,
  familyOf,
  findModel,
  lifeInWords,
  lifeOf,
  lifeWarning,
  profilesIn,
  regionWarning,
} from '../../../src/integrations/cohere/models.ts';

const NOW = new Date('2026-11-23T12:00:00Z');

describe('finding a model by its id', () => {
  it.each(['us', 'eu', 'apac', 'global', 'us-gov', 'jp', 'au', 'ca'])('sees through the prefix %s.', (prefix) => {
    expect(findModel(`${prefix}.cohere.embed-v4:0`)?.id).toBe('cohere.embed-v4:0');
  });

  it.each([
    ['arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0', 'cohere.embed-v4:0'],
    ['arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.cohere.embed-v4:0', 'cohere.embed-v4:0'],
    ['arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/cohere.embed-english-v3', 'cohere.embed-english-v3'],
    ['arn:aws-cn:bedrock:cn-north-1::foundation-model/cohere.command-r-v1:0', 'cohere.command-r-v1:0'],
    ['arn:aws:bedrock:::foundation-model/cohere.rerank-v3-5:0', 'cohere.rerank-v3-5:0'],
    ['cohere.command-text-v14:7:4k', 'cohere.command-text-v14'],
    ['cohere.embed-multilingual-v3:0:512', 'cohere.embed-multilingual-v3'],
    ['cohere.command-r-plus-v1:0', 'cohere.command-r-plus-v1:0'],
  ])('reads %s', (id, expected) => {
    expect(findModel(id)?.id).toBe(expected);
  });

  it.each([
    'arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghij12',
    'arn:aws:bedrock:us-east-1:123456789012:imported-model/abcdefghij12',
    'arn:aws:s3:us-east-1::foundation-model/cohere.embed-v4:0',
    'cohere.embed-v4:01',
    'cohere.command-text-v140',
    'xx.cohere.embed-v4:0',
    'us.us.cohere.embed-v4:0',
    'cohere.command-a-03-2025',
    'amazon.nova-lite-v1:0',
    '',
  ])('finds nothing in "%s"', (id) => {
    expect(findModel(id)).toBeUndefined();
  });
});

describe('the table of models', () => {
  it('has every id once, in the family that the id itself shows', () => {
    expect(new Set(COHERE_MODELS.map(({ id }) => id)).size).toBe(COHERE_MODELS.length);
    for (const { id, family } of COHERE_MODELS) expect([id, familyOf({ name: id })]).toEqual([id, family]);
  });

  it('gives a source, what goes in and out, and dates of the right form', () => {
    for (const { source, input, output, checkedOn, endOfLife = '2000-01-01' } of COHERE_MODELS) {
      expect(source).toMatch(/^https:\/\/docs\.aws\.amazon\.com\//);
      expect([input, output]).not.toContain('');
      for (const date of [endOfLife, checkedOn]) expect(new Date(date).toISOString().slice(0, 10)).toBe(date);
    }
  });

  it('names an alternative that is not itself past its end, wherever there is an end', () => {
    for (const { endOfLife, alternative } of COHERE_MODELS) {
      expect(alternative === undefined).toBe(endOfLife === undefined);
      if (alternative !== undefined) expect(lifeOf(alternative, NOW).state).not.toBe('ended');
    }
  });

  it('lists profiles of the model itself', () => {
    for (const { id, profiles } of COHERE_MODELS) {
      for (const profile of profiles) expect(findModel(profile)?.id).toBe(id);
    }
  });
});

describe('the life of a model', () => {
  it.each([
    ['cohere.command-text-v14', '2025-08-12'],
    ['cohere.command-light-text-v14', '2025-08-12'],
    ['cohere.command-text-v14:7:4k', '2025-08-12'],
    ['cohere.command-r-v1:0', '2026-08-19'],
    ['us.cohere.command-r-plus-v1:0', '2026-08-19'],
  ])('%s ended on %s', (id, endedOn) => {
    expect(lifeOf(id, NOW)).toEqual({ state: 'ended', endedOn, alternative: 'global.amazon.nova-2-lite-v1:0' });
  });

  it('ends at the start of its last date in UTC', () => {
    const alternative = 'global.amazon.nova-2-lite-v1:0';
    expect(lifeOf('cohere.command-r-v1:0', new Date('2026-08-18T23:59:59.999Z'))).toStrictEqual({
      state: 'legacy',
      endsOn: '2026-08-19',
      alternative,
    });
    expect(lifeOf('cohere.command-r-v1:0', new Date('2026-08-19T00:00:00Z')).state).toBe('ended');
  });

  it.each([
    'cohere.embed-english-v3',
    'cohere.embed-multilingual-v3',
    'global.cohere.embed-v4:0',
    'cohere.rerank-v3-5:0',
  ])('%s is active', (id) => {
    expect(lifeOf(id, NOW)).toStrictEqual({ state: 'active' });
  });

  it.each(['amazon.nova-lite-v1:0', 'arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abc'])(
    'is unknown of %s',
    (id) => {
      expect(lifeOf(id, NOW)).toStrictEqual({ state: 'unknown' });
    },
  );
});

describe('the life of a model in words', () => {
  it.each([
    ['cohere.command-r-v1:0', '2026-11-23', 'ended on 2026-08-19'],
    ['cohere.command-r-v1:0', '2026-08-18', 'legacy, ends on 2026-08-19'],
    ['us.cohere.embed-v4:0', '2026-11-23', 'active, as of 2026-11-23'],
    ['amazon.nova-lite-v1:0', '2026-11-23', undefined],
  ])('of %s on %s is: %s', (id, day, words) => {
    expect(lifeInWords(id, new Date(day))).toBe(words);
  });

  it('warns of an end, past or to come, and of nothing else', () => {
    const instead = '; a living alternative is global.amazon.nova-2-lite-v1:0';
    const warning = (id: string, day: string) => lifeWarning(lifeOf(id, new Date(day)));
    expect(warning('cohere.command-r-v1:0', '2026-11-23')).toBe(
      `the model reached its end of life on 2026-08-19${instead}`,
    );
    expect(warning('cohere.command-r-v1:0', '2026-05-01')).toBe(
      `the model reaches its end of life on 2026-08-19${instead}`,
    );
    expect(warning('cohere.embed-v4:0', '2026-11-23')).toBeUndefined();
  });
});

describe('an alternative', () => {
  it.each([
    ['eu-west-2', true],
    ['ap-south-1', true],
    ['us-gov-west-1', false],
    ['cn-north-1', false],
  ])('is named where it can be called, from %s: %s', (region, named) => {
    expect('alternative' in lifeOf('cohere.command-r-v1:0', NOW, region)).toBe(named);
  });
});

describe('a model that its region does not have', () => {
  it.each([
    ['cohere.embed-v4:0', 'us-west-2', ['us.cohere.embed-v4:0', 'global.cohere.embed-v4:0']],
    ['cohere.embed-v4:0', 'eu-central-1', ['eu.cohere.embed-v4:0', 'global.cohere.embed-v4:0']],
    ['cohere.embed-v4:0', 'ap-south-1', ['global.cohere.embed-v4:0']],
    ['cohere.embed-v4:0', 'us-gov-west-1', []],
    ['cohere.rerank-v3-5:0', 'us-east-1', []],
    ['amazon.nova-lite-v1:0', 'us-east-1', []],
  ])('%s in %s is reached by %j', (id, region, profiles) => {
    expect(profilesIn(id, region)).toEqual(profiles);
  });

  it.each([
    [
      'cohere.embed-v4:0',
      'eu-west-2',
      'cohere.embed-v4:0 is not on demand in eu-west-2, as of 2026-11-23: call it by eu.cohere.embed-v4:0 or global.cohere.embed-v4:0 in modelId',
    ],
    [
      'cohere.rerank-v3-5:0',
      'eu-west-1',
      'cohere.rerank-v3-5:0 is not on demand in eu-west-1, as of 2026-11-23; it is in us-east-1, us-west-2, ca-central-1, eu-central-1, ap-northeast-1',
    ],
    ['us.cohere.embed-v4:0', 'eu-west-1', 'us.cohere.embed-v4:0 is not on demand in eu-west-1, as of 2026-11-23'],
  ])('%s in %s is warned of', (id, region, warning) => {
    expect(regionWarning(id, region)).toBe(warning);
  });

  it.each([
    ['cohere.embed-v4:0', 'eu-west-1'],
    ['eu.cohere.embed-v4:0', 'eu-west-2'],
    ['global.cohere.embed-v4:0', 'sa-east-1'],
    ['cohere.embed-english-v3', 'sa-east-1'],
    ['cohere.embed-english-v3:0:512', 'sa-east-1'],
    // The table does not know that profile.
    ['apac.cohere.embed-v4:0', 'ap-south-1'],
    // Past its end, which is warned of by itself.
    ['cohere.command-r-v1:0', 'eu-west-1'],
    ['amazon.nova-lite-v1:0', 'eu-west-1'],
    ['arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0', 'eu-west-2'],
  ])('%s in %s is not', (id, region) => {
    expect(regionWarning(id, region)).toBeUndefined();
  });
});

describe('the family of a model', () => {
  const hidden = 'arn:aws:bedrock:us-east-1:123456789012:provisioned-model/abcdefghij12';

  it.each([
    ['cohere.command-text-v14', 'command'],
    ['cohere.command-light-text-v15', 'command'],
    ['cohere.command-text-v14:7:4k', 'command'],
    ['cohere.command-r-v1:0', 'command-r'],
    ['cohere.command-r-plus-v2:0', 'command-r'],
    ['cohere.embed-english-v3', 'embed-v3'],
    ['cohere.embed-multilingual-v3:0:512', 'embed-v3'],
    ['cohere.embed-v4', 'embed-v4'],
    ['us-gov.cohere.embed-v4:0', 'embed-v4'],
    ['arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0', 'embed-v4'],
    ['cohere.rerank-v4:0', 'rerank'],
    ['cohere.command-a-03-2025', 'converse'],
    ['cohere.command-a-v1:0', 'converse'],
    ['cohere.embed-v41:0', 'converse'],
    ['amazon.nova-lite-v1:0', 'converse'],
    ['my-embedder', 'converse'],
    [hidden, 'converse'],
  ])('%s is %s by its name', (name, family) => {
    expect(familyOf({ name })).toBe(family);
  });

  it('is what the record says before anything else', () => {
    expect(familyOf({ name: 'cohere.embed-v4:0', modelId: 'cohere.rerank-v3-5:0', family: 'command' })).toBe('command');
  });

  it('is what the called id shows, whatever the record is named', () => {
    expect(familyOf({ name: 'cohere.embed-english-v3', modelId: 'eu.cohere.embed-v4:0' })).toBe('embed-v4');
    expect(familyOf({ name: 'cohere.command-r-v1:0', modelId: 'us.amazon.nova-lite-v1:0' })).toBe('converse');
  });

  it('is what the name shows where the called ARN hides it', () => {
    expect(familyOf({ name: 'cohere.command-r-v1:0', modelId: hidden })).toBe('command-r');
    expect(familyOf({ name: 'summarizer', modelId: hidden })).toBe('converse');
  });
});
