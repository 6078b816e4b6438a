import { setTimeout as wait } from 'node:timers/promises';
import { AssumeRoleCommand, type AssumeRoleCommandInput, GetCallerIdentityCommand } from '@aws-sdk/client-sts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { OPEN_ROLE, ROLE } from '../../simulator/known.ts';
import { type Simulator, startSimulator } from '../../simulator/simulator.ts';
import { bedrockClient, type Keys, refusal, stsClient } from './clients.ts';

const EMBED = { texts: ['hello'], input_type: 'search_document' };
const SESSION = { RoleArn: ROLE.arn, ExternalId: ROLE.externalId, RoleSessionName: 'worker-1' };

let simulator: Simulator;
beforeEach(async () => {
  simulator = await startSimulator();
});
afterEach(() => simulator.close());

async function assume(input: Partial<AssumeRoleCommandInput> = {}, caller?: Keys): Promise<Keys & { expires: Date }> {
  const output = await stsClient(simulator, { credentials: caller }).send(
    new AssumeRoleCommand({ ...SESSION, ...input }),
  );
  const { AccessKeyId = '', SecretAccessKey = '', SessionToken, Expiration = new Date(0) } = output.Credentials ?? {};
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expires: Expiration,
  };
}

describe('assuming a role', () => {
  test('gives credentials that Bedrock and STS take, for an hour by default', async () => {
    const credentials = await assume();
    expect(credentials.expires.getTime() - Date.now()).toBeGreaterThan(3_590_000);
    expect(await bedrockClient(simulator, { credentials }).invoke('cohere.embed-english-v3', EMBED)).toHaveProperty(
      'id',
    );
    const identity = await stsClient(simulator, { credentials }).send(new GetCallerIdentityCommand({}));
    expect(identity).toMatchObject({
      Account: '111122223333',
      Arn: 'arn:aws:sts::111122223333:assumed-role/bedrock-caller/worker-1',
    });
  });

  test('needs no external id where the role asks for none', async () => {
    expect(await assume({ RoleArn: OPEN_ROLE.arn, ExternalId: undefined })).toHaveProperty('sessionToken');
  });

  test.each<[string, Partial<AssumeRoleCommandInput>]>([
    ['a wrong external id', { ExternalId: 'another-id' }],
    ['no external id', { ExternalId: undefined }],
    ['an unknown role', { RoleArn: 'arn:aws:iam::111122223333:role/unknown' }],
  ])('is refused with %s, in AWS’s words', async (_, input) => {
    expect(await refusal(assume(input))).toEqual({
      name: 'AccessDenied',
      message: `User: arn:aws:iam::111122223333:user/conductor is not authorized to perform: sts:AssumeRole on resource: ${input.RoleArn ?? ROLE.arn}`,
      status: 403,
    });
  });

  test('is refused to those the role does not trust', async () => {
    simulator.setRole({ ...ROLE, trusts: ['444455556666'] });
    expect(await refusal(assume())).toMatchObject({ name: 'AccessDenied' });
  });

  test.each<[string, Partial<AssumeRoleCommandInput>, string]>([
    ['too short', { DurationSeconds: 899 }, 'ValidationError'],
    ['too long', { DurationSeconds: 43_201 }, 'ValidationError'],
    ['longer than the role allows', { DurationSeconds: 3601 }, 'ValidationError'],
    ['a session name with a space', { RoleSessionName: 'a b' }, 'ValidationError'],
    ['a session name of one letter', { RoleSessionName: 'a' }, 'ValidationError'],
    ['no session name', { RoleSessionName: undefined }, 'ValidationError'],
    ['an external id of one letter', { ExternalId: 'x' }, 'ValidationError'],
    ['an external id with a space', { ExternalId: 'a b' }, 'ValidationError'],
    ['a short ARN', { RoleArn: 'arn:aws:iam::1:rol' }, 'ValidationError'],
    ['an ARN of no role', { RoleArn: 'arn:aws:iam::111122223333:user/x' }, 'ValidationError'],
    ['a policy that is none', { Policy: '{}' }, 'MalformedPolicyDocumentException'],
  ])('is refused as invalid: %s', async (_, input, name) => {
    expect(await refusal(assume(input))).toMatchObject({ name, status: 400 });
  });

  test('from a role lasts an hour at most', async () => {
    simulator.setRole({ ...OPEN_ROLE, maxSeconds: 43_200 });
    const first = await assume();
    const chained = { RoleArn: OPEN_ROLE.arn, ExternalId: undefined };
    expect(await refusal(assume({ ...chained, DurationSeconds: 3601 }, first))).toMatchObject({
      name: 'ValidationError',
    });
    expect(await assume({ ...chained, DurationSeconds: 3600 }, first)).toHaveProperty('sessionToken');
  });
});

describe('temporary credentials', () => {
  test('are refused once they have expired', async () => {
    simulator.setSts({ lifetimeMs: 150 });
    const credentials = await assume({ DurationSeconds: 900 });
    expect(credentials.expires.getTime() - Date.now()).toBeLessThanOrEqual(150);
    const { invoke } = bedrockClient(simulator, { credentials });
    await invoke('cohere.embed-english-v3', EMBED);
    await wait(200);
    expect(await refusal(invoke('cohere.embed-english-v3', EMBED))).toEqual({
      name: 'ExpiredTokenException',
      message: 'The security token included in the request is expired',
      status: 403,
    });
    const sts = stsClient(simulator, { credentials });
    expect(await refusal(sts.send(new GetCallerIdentityCommand({})))).toMatchObject({
      name: 'ExpiredToken',
      status: 403,
    });
  });

  test('are unknown without their token, and once revoked', async () => {
    const { accessKeyId, secretAccessKey, sessionToken } = await assume();
    const without = bedrockClient(simulator, { credentials: { accessKeyId, secretAccessKey } });
    expect(await refusal(without.invoke('cohere.embed-english-v3', EMBED))).toMatchObject({
      name: 'UnrecognizedClientException',
    });
    expect(simulator.revokeCredentials(accessKeyId)).toBe(true);
    const revoked = bedrockClient(simulator, { credentials: { accessKeyId, secretAccessKey, sessionToken } });
    expect(await refusal(revoked.invoke('cohere.embed-english-v3', EMBED))).toMatchObject({
      name: 'UnrecognizedClientException',
    });
  });

  const policy = (Action: string | string[], Resource = '*', Effect = 'Allow') =>
    JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Action, Resource }] });
  test.each([
    ['the action', policy('bedrock:InvokeModel'), true],
    ['a wildcard', policy('bedrock:InvokeModel*'), true],
    ['the model', policy('bedrock:invokemodel', 'arn:aws:bedrock:*::foundation-model/cohere.embed-english-v3'), true],
    ['another action', policy(['bedrock:ListFoundationModels', 's3:*']), false],
    ['another model', policy('bedrock:*', 'arn:aws:bedrock:*::foundation-model/cohere.embed-v4:0'), false],
    ['nothing: it denies', policy('bedrock:*', '*', 'Deny'), false],
  ])('whose policy allows %s', async (_, Policy, allowed) => {
    const credentials = await assume({ Policy });
    const call = bedrockClient(simulator, { credentials }).invoke('cohere.embed-english-v3', EMBED);
    if (allowed) expect(await call).toHaveProperty('id');
    else expect(await refusal(call)).toMatchObject({ name: 'AccessDeniedException', status: 403 });
  });

  test('need the right to InvokeModel for Converse, too, on the profile and on its model', async () => {
    const profile = 'arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.amazon.nova-lite-v1:0';
    const messages = [{ role: 'user' as const, content: [{ text: 'hi' }] }];
    const narrow = bedrockClient(simulator, {
      credentials: await assume({ Policy: policy('bedrock:InvokeModel', profile) }),
    });
    expect(await refusal(narrow.converse('us.amazon.nova-lite-v1:0', { messages }))).toMatchObject({
      name: 'AccessDeniedException',
    });
    const converseOnly = bedrockClient(simulator, {
      credentials: await assume({ Policy: policy('bedrock:Converse') }),
    });
    expect(await refusal(converseOnly.converse('amazon.nova-lite-v1:0', { messages }))).toMatchObject({
      name: 'AccessDeniedException',
    });
  });
});
