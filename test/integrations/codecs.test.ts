import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../src/errors.ts';
import { FAMILIES, type TextCodec, type TextRequest } from '../../src/integrations/codec.ts';
import { codecFor } from '../../src/integrations/codecs.ts';
import { finishReasonOf } from '../../src/integrations/finish-reasons.ts';
import { defaultMaxTokens, describeRule } from '../../src/integrations/parameters.ts';

describe('the codec of a family', () => {
  it.each(FAMILIES)('says that it is %s', (family) => {
    expect(codecFor(family).family).toBe(family);
  });

  it('does text, chat, embeddings and reranking as far as it can', () => {
    const can = Object.fromEntries(
      FAMILIES.map((family) => {
        const { text, chat, embeddings, rerank } = codecFor(family);
        const abilities = Object.entries({ text, chat, embeddings, rerank });
        return [family, abilities.flatMap(([what, codec]) => (codec ? [what] : []))];
      }),
    );
    expect(can).toEqual({
      command: ['text'],
      'command-r': ['text', 'chat'],
      'embed-v3': ['embeddings'],
      'embed-v4': ['embeddings'],
      rerank: ['rerank'],
      converse: ['text', 'chat'],
    });
  });
});

/** The ranges once more, by hand: `whole`, lowest, highest. A parameter that is not here is unknown to the family. */
const RANGES: Record<'command' | 'command-r' | 'converse', Record<string, readonly [boolean, number, number]>> = {
  command: {
    maxTokens: [true, 1, 4096],
    temperature: [false, 0, 5],
    topP: [false, 0, 1],
    topK: [false, 0, 500],
    maxResults: [true, 1, 5],
  },
  'command-r': {
    maxTokens: [true, 1, 4000],
    temperature: [false, 0, 1],
    topP: [false, 0.01, 0.99],
    topK: [false, 0, 500],
    frequencyPenalty: [false, 0, 1],
    presencePenalty: [false, 0, 1],
    seed: [true, 0, Number.MAX_SAFE_INTEGER],
    maxResults: [true, 1, 1],
  },
  converse: {
    maxTokens: [true, 1, Number.MAX_SAFE_INTEGER],
    temperature: [false, 0, 1],
    topP: [false, 0, 1],
    maxResults: [true, 1, 1],
  },
};
const TEXT_FAMILIES = ['command', 'command-r', 'converse'] as const;
const NUMBERS = [
  'maxTokens',
  'temperature',
  'topP',
  'topK',
  'frequencyPenalty',
  'presencePenalty',
  'seed',
  'maxResults',
];

function textCodec(family: (typeof TEXT_FAMILIES)[number]): TextCodec {
  const { text } = codecFor(family);
  if (text === undefined) throw new Error(`${family} completes texts`);
  return text;
}

function within([whole, minimum, maximum]: readonly [boolean, number, number]): fc.Arbitrary<number> {
  return whole
    ? fc.integer({ min: minimum, max: maximum })
    : fc.double({ min: minimum, max: maximum, noNaN: true, noDefaultInfinity: true });
}

/** Every request that a family should take. */
function validRequest(family: (typeof TEXT_FAMILIES)[number]): fc.Arbitrary<TextRequest> {
  const numbers = Object.entries(RANGES[family]).map(([name, range]) => [name, within(range)] as const);
  const parameters = {
    ...Object.fromEntries(numbers),
    stopWords: fc.array(fc.string({ minLength: 1 }), { maxLength: 4 }),
  };
  return fc
    .record({ prompt: fc.string({ minLength: 1 }), parameters: fc.record(parameters, { requiredKeys: [] }) })
    .map(({ prompt, parameters: given }) => ({ prompt, ...given }));
}

describe.each(TEXT_FAMILIES)('any request to %s', (family) => {
  const codec = textCodec(family);
  const ranges = RANGES[family];

  it('is taken when all its values are in range, and loses none of them', () => {
    fc.assert(
      fc.property(validRequest(family), (request) => {
        const call = codec.encode(request);
        const sent = call.operation === 'InvokeModel' ? call.body : call.input.inferenceConfig;
        const values = Object.values(sent ?? {});
        for (const [name, value] of Object.entries(request)) {
          if (name === 'prompt') expect(JSON.stringify(call)).toContain(JSON.stringify(value));
          else if (name === 'stopWords' && request.stopWords?.length === 0) expect(values).not.toContainEqual([]);
          else if (name !== 'maxResults' || family === 'command') expect(values).toContainEqual(value);
        }
        const tokens = Object.entries(sent ?? {}).find(([word]) => word === 'max_tokens' || word === 'maxTokens');
        expect(tokens?.[1]).toBe(request.maxTokens ?? 1024);
      }),
    );
  });

  it('is refused when one value is out of range, with that value’s name', () => {
    const outside = fc.constantFrom(...Object.entries(ranges)).chain(([name, [whole, minimum, maximum]]) => {
      const values = [
        // Not -0, which is below 0 for the generator alone.
        fc.double({ max: minimum, maxExcluded: true, noNaN: true }).filter((number) => number < minimum),
        fc.double({ min: maximum, minExcluded: true, noNaN: true }),
        fc.constant(Number.NaN),
        fc.constantFrom<unknown>('1', true, {}, [1]),
        ...(whole ? [fc.constantFrom(1.5, 0.1)] : []),
      ];
      return fc.record({ name: fc.constant(name), value: fc.oneof(...values) });
    });
    fc.assert(
      fc.property(validRequest(family), outside, (request, { name, value }) => {
        expect(fieldRefused(codec, { ...request, [name]: value })).toBe(name);
      }),
    );
  });

  it('is refused when it has any value for a parameter that the family does not know', () => {
    const unknown = NUMBERS.filter((name) => ranges[name] === undefined);
    if (unknown.length === 0) {
      expect(family).toBe('command-r');
      return;
    }
    fc.assert(
      fc.property(validRequest(family), fc.constantFrom(...unknown), fc.integer(), (request, name, value) => {
        expect(fieldRefused(codec, { ...request, [name]: value })).toBe(name);
      }),
    );
  });
});

function fieldRefused(codec: TextCodec, request: TextRequest): string | undefined {
  try {
    codec.encode(request);
  } catch (error) {
    if (error instanceof ServiceError && error.code === 'INPUT_INVALID') return error.field;
    throw error;
  }
  return undefined;
}

describe('the default of maxTokens', () => {
  it.each(TEXT_FAMILIES)('is 1024 for %s, whose maximum is higher', (family) => {
    expect(defaultMaxTokens(family)).toBe(1024);
  });
});

describe('a finish reason', () => {
  it('is ERROR when nobody knows it, also where its name is one that objects inherit', () => {
    for (const word of ['', 'finished', 'constructor', '__proto__', 'toString', null, undefined]) {
      expect(finishReasonOf(word)).toBe('ERROR');
    }
  });

  it('is read in any casing', () => {
    for (const word of ['COMPLETE', 'complete', 'Complete']) expect(finishReasonOf(word)).toBe('STOP');
  });
});

describe('a rule in words', () => {
  it.each([
    [{ kind: 'number', minimum: 0, maximum: 1 }, 'a number from 0 to 1'],
    [{ kind: 'whole', minimum: 1 }, 'a whole number from 1'],
    [{ kind: 'number', maximum: 2 }, 'a number up to 2'],
    [{ kind: 'whole' }, 'a whole number'],
    [{ kind: 'whole', minimum: 1, maximum: 1 }, '1'],
    [{ kind: 'texts', word: 'stop' }, 'a list of non-empty texts'],
    [{ kind: 'choice', word: 'size', choices: [1, 2] }, 'one of 1, 2'],
    [{ kind: 'choices', word: 'forms', choices: ['a', 'b'] }, 'a list of a, b'],
    [{ kind: 'refused' }, 'not known'],
  ] as const)('%j', (rule, words) => {
    expect(describeRule(rule)).toBe(words);
  });
});
