import { GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENVIRONMENT_CREDENTIALS, HOSTED, INTEGRATION_CREDENTIALS } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, type Draft, post, refusal, signedRequest, stsClient } from './clients.ts';

const EMBED = { texts: ['hello'], input_type: 'search_document' };
const DRAFT: Draft = { path: '/model/cohere.embed-english-v3/invoke', body: JSON.stringify(EMBED) };

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator();
});
afterAll(() => simulator.close());

describe('a request that the SDK signs', () => {
  test.each([
    ['a plain id', 'cohere.embed-english-v3'],
    ['an id with a colon', 'cohere.embed-v4:0'],
    ['a profile', 'us.cohere.embed-v4:0'],
    ['an ARN with slashes', HOSTED.embedV3],
    ['an ARN of a foundation model', 'arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0'],
    ['an ARN of a profile', 'arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.cohere.embed-v4:0'],
  ])('passes for %s', async (_, modelId) => {
    expect(await bedrockClient(simulator).invoke(modelId, EMBED)).toHaveProperty('embeddings');
  });

  test('passes for every known key and any script of text', async () => {
    const { invoke } = bedrockClient(simulator, { credentials: INTEGRATION_CREDENTIALS });
    expect(await invoke('cohere.embed-english-v3', { ...EMBED, texts: ['Zürich 東京 🙂'] })).toHaveProperty(
      'embeddings',
    );
  });

  test('is refused with a wrong secret', async () => {
    const credentials = { ...ENVIRONMENT_CREDENTIALS, secretAccessKey: 'wrong' };
    expect(
      await refusal(bedrockClient(simulator, { credentials }).invoke('cohere.embed-english-v3', EMBED)),
    ).toMatchObject({
      name: 'InvalidSignatureException',
      status: 403,
    });
    expect(await refusal(stsClient(simulator, { credentials }).send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: 'SignatureDoesNotMatch',
      status: 403,
    });
  });

  test('is refused with an unknown key, and with a token that a static key has not', async () => {
    for (const credentials of [
      { accessKeyId: 'AKIAUNKNOWN000000000', secretAccessKey: 'x' },
      { ...ENVIRONMENT_CREDENTIALS, sessionToken: 'from-elsewhere' },
    ]) {
      expect(await refusal(bedrockClient(simulator, { credentials }).invoke('cohere.embed-english-v3', EMBED))).toEqual(
        {
          name: 'UnrecognizedClientException',
          message: 'The security token included in the request is invalid.',
          status: 403,
        },
      );
      expect(await refusal(stsClient(simulator, { credentials }).send(new GetCallerIdentityCommand({})))).toMatchObject(
        {
          name: 'InvalidClientTokenId',
        },
      );
    }
  });
});

describe('a request signed by hand', () => {
  const outcome = async (
    draft: Partial<Draft>,
    alter: (request: Awaited<ReturnType<typeof signedRequest>>) => void,
  ) => {
    const request = await signedRequest(simulator, { ...DRAFT, ...draft });
    alter(request);
    return post(simulator, request);
  };

  test('passes unaltered, with and without a checksum header', async () => {
    expect(await outcome({}, () => {})).toMatchObject({ status: 200 });
    expect(await outcome({ checksum: false }, () => {})).toMatchObject({ status: 200 });
  });

  const minutes = (count: number) => new Date(Date.now() + count * 60_000);
  test.each<
    [string, Partial<Draft>, (request: { path: string; body: string; headers: Record<string, string> }) => void, string]
  >([
    [
      'an altered body',
      {},
      (one) => void Object.assign(one, { body: one.body.replace('hello', 'hullo') }),
      'InvalidSignatureException',
    ],
    [
      'an altered body without checksum',
      { checksum: false },
      (one) => void Object.assign(one, { body: `${one.body} ` }),
      'InvalidSignatureException',
    ],
    [
      'an altered path',
      {},
      (one) => void Object.assign(one, { path: one.path.replace('english', 'multilingual') }),
      'InvalidSignatureException',
    ],
    [
      'a query that was not signed',
      {},
      (one) => void Object.assign(one, { path: `${one.path}?x=1` }),
      'InvalidSignatureException',
    ],
    [
      'an altered signed header',
      {},
      (one) => void Object.assign(one.headers, { 'content-type': 'text/plain' }),
      'InvalidSignatureException',
    ],
    [
      'an x-amz header that is not signed',
      {},
      (one) => void Object.assign(one.headers, { 'x-amz-more': '1' }),
      'InvalidSignatureException',
    ],
    ['an unsigned host', { unsigned: ['host'] }, () => {}, 'InvalidSignatureException'],
    ['a clock 6 minutes behind', { signingDate: minutes(-6) }, () => {}, 'InvalidSignatureException'],
    ['a clock 6 minutes ahead', { signingDate: minutes(6) }, () => {}, 'InvalidSignatureException'],
    ['the scope of another service', { service: 's3' }, () => {}, 'InvalidSignatureException'],
    ['no Authorization', {}, (one) => void delete one.headers['authorization'], 'MissingAuthenticationTokenException'],
    [
      'an Authorization that cannot be read',
      {},
      (one) => void Object.assign(one.headers, { authorization: 'AWS4-HMAC-SHA256 x' }),
      'IncompleteSignatureException',
    ],
    [
      'a bearer token',
      {},
      (one) => void Object.assign(one.headers, { authorization: 'Bearer abc' }),
      'AccessDeniedException',
    ],
    [
      'a date of another day',
      {},
      (one) => void Object.assign(one.headers, { 'x-amz-date': '20200101T000000Z' }),
      'IncompleteSignatureException',
    ],
  ])('is refused with %s', async (_, draft, alter, error) => {
    expect(await outcome(draft, alter)).toMatchObject({ error });
  });

  test('passes with a clock 4 minutes off and a signed query', async () => {
    expect(await outcome({ signingDate: minutes(4) }, () => {})).toMatchObject({ status: 200 });
    const query = { 'a b': 'c+d' };
    expect(
      await outcome({ query }, (one) => void Object.assign(one, { path: `${one.path}?a%20b=c%2Bd` })),
    ).toMatchObject({
      status: 200,
    });
  });
});
