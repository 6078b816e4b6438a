import { describe, expect, it } from 'vitest';
import { ServiceError } from '../../../src/errors.ts';
import {
  asServiceError,
  mayBeMendedByFreshCredentials,
  withoutIdentifiers,
} from '../../../src/integrations/bedrock/errors.ts';

const PLACE = { integration: 'prod', model: 'cohere.embed-v4:0' };

/** As the SDK throws it. */
function awsError(name: string, status?: number, message = 'AWS’s words'): Error {
  const metadata = status === undefined ? {} : { $metadata: { httpStatusCode: status } };
  return Object.assign(new Error(message), { name, ...metadata });
}

describe('an error of AWS', () => {
  it.each([
    ['ThrottlingException', 429, 'THROTTLED', true],
    ['ModelNotReadyException', 429, 'THROTTLED', true],
    ['ServiceQuotaExceededException', 400, 'THROTTLED', true],
    ['Throttling', 400, 'THROTTLED', true],
    ['TooManyRequestsException', 429, 'THROTTLED', true],
    ['ServiceUnavailableException', 503, 'BEDROCK_UNAVAILABLE', true],
    ['InternalServerException', 500, 'BEDROCK_UNAVAILABLE', true],
    ['ServiceUnavailable', 503, 'BEDROCK_UNAVAILABLE', true],
    ['InternalFailure', 500, 'BEDROCK_UNAVAILABLE', true],
    ['ModelTimeoutException', 408, 'MODEL_TIMEOUT', true],
    ['ModelErrorException', 424, 'MODEL_FAILED', true],
    ['ValidationException', 400, 'REQUEST_REFUSED', false],
    ['ResourceNotFoundException', 404, 'MODEL_NOT_FOUND', false],
    ['AccessDeniedException', 403, 'CREDENTIALS_FAILED', false],
    ['ExpiredTokenException', 403, 'CREDENTIALS_FAILED', false],
    ['UnrecognizedClientException', 403, 'CREDENTIALS_FAILED', false],
    ['InvalidSignatureException', 403, 'CREDENTIALS_FAILED', false],
    ['MissingAuthenticationTokenException', 403, 'CREDENTIALS_FAILED', false],
    ['AccessDenied', 403, 'CREDENTIALS_FAILED', false],
    ['ExpiredToken', 403, 'CREDENTIALS_FAILED', false],
    ['InvalidClientTokenId', 403, 'CREDENTIALS_FAILED', false],
    ['SignatureDoesNotMatch', 403, 'CREDENTIALS_FAILED', false],
    ['ValidationError', 400, 'CREDENTIALS_FAILED', false],
    ['MalformedPolicyDocument', 400, 'CREDENTIALS_FAILED', false],
    ['RegionDisabledException', 403, 'CREDENTIALS_FAILED', false],
    ['CredentialsProviderError', undefined, 'CREDENTIALS_FAILED', false],
    ['TimeoutError', undefined, 'BEDROCK_UNAVAILABLE', true],
    ['ConnectTimeoutError', undefined, 'BEDROCK_UNAVAILABLE', true],
    ['SocketError', undefined, 'BEDROCK_UNAVAILABLE', true],
    ['Error', undefined, 'BEDROCK_UNAVAILABLE', true],
  ])('%s (%s) is %s, retryable: %s', (name, status, code, retryable) => {
    const cause = awsError(name, status);
    const error = asServiceError(cause, PLACE);
    expect(error).toBeInstanceOf(ServiceError);
    expect(error).toMatchObject({ code, retryable, cause });
    expect(error.message).toMatch(/^prod:cohere\.embed-v4:0: /);
    expect(error.message).toContain(name);
    expect(error.message).toContain('AWS’s words');
  });

  it.each([
    [429, 'THROTTLED'],
    [408, 'MODEL_TIMEOUT'],
    [401, 'CREDENTIALS_FAILED'],
    [403, 'CREDENTIALS_FAILED'],
    [500, 'BEDROCK_UNAVAILABLE'],
    [504, 'BEDROCK_UNAVAILABLE'],
    [400, 'REQUEST_REFUSED'],
    [413, 'REQUEST_REFUSED'],
    [200, 'BEDROCK_UNAVAILABLE'],
  ])('of a name that is not known is judged by its status: %s is %s', (status, code) => {
    expect(asServiceError(awsError('NewException', status), PLACE).code).toBe(code);
  });

  it.each(['constructor', 'toString', '__proto__'])('may have any name: %s', (name) => {
    expect(asServiceError(awsError(name, 503), PLACE).code).toBe('BEDROCK_UNAVAILABLE');
  });

  it('that is ours already stays as it is', () => {
    const ours = new ServiceError('MODEL_TIMEOUT', 'x');
    expect(asServiceError(ours, PLACE)).toBe(ours);
  });

  it('that is about a secret says of which integration', () => {
    const ours = new ServiceError('SECRET_UNAVAILABLE', 'configuration.api_key: x', { field: 'configuration.api_key' });
    expect(asServiceError(ours, PLACE)).toMatchObject({
      code: 'SECRET_UNAVAILABLE',
      field: 'configuration.api_key',
      message: `The record of the integration ${PLACE.integration}, configuration.api_key: x`,
    });
  });

  it.each([['text'], [undefined], [null], [42]])('may be anything thrown: %j', (thrown) => {
    expect(asServiceError(thrown, PLACE)).toMatchObject({ code: 'BEDROCK_UNAVAILABLE', retryable: true });
  });
});

describe('a refusal', () => {
  it.each([
    'AccessDeniedException',
    'ExpiredTokenException',
    'UnrecognizedClientException',
    'InvalidSignatureException',
  ])('may be mended by fresh credentials: %s', (name) => {
    expect(mayBeMendedByFreshCredentials(awsError(name))).toBe(true);
  });

  it.each(['ThrottlingException', 'ValidationException', 'ResourceNotFoundException', 'AccessDenied', 'Error'])(
    'is not mended by them: %s',
    (name) => {
      expect(mayBeMendedByFreshCredentials(awsError(name))).toBe(false);
    },
  );

  it('is an error', () => {
    expect(mayBeMendedByFreshCredentials({ name: 'AccessDeniedException' })).toBe(false);
  });
});

describe('AWS’s words in a task’s reason', () => {
  it.each([
    [
      'User: arn:aws:sts::111122223333:assumed-role/caller/worker-1 is not authorized to perform: bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-v4:0 because no policy allows it',
      'User: arn:… is not authorized to perform: bedrock:InvokeModel on resource: arn:… because no policy allows it',
    ],
    ['role "arn:aws-us-gov:iam::111122223333:role/a/b", please', 'role "arn:…", please'],
    ['(arn:aws-cn:iam::111122223333:user/x)', '(arn:…)'],
    ['account 111122223333 has no access', 'account … has no access'],
    ['Account:111122223333.', 'Account:….'],
    ['key AKIAIOSFODNN7EXAMPLE and ASIAIOSFODNN7EXAMPLE', 'key … and …'],
    ['AROAIOSFODNN7EXAMPLE:session, AIDAIOSFODNN7EXAMPLE', '…:session, …'],
    ['Credential=AKIAIOSFODNN7EXAMPLE/20261123/us-east-1', 'Credential=…/20261123/us-east-1'],
    ['temperature 0.7 of 4096 tokens, request 1234567890123', 'temperature 0.7 of 4096 tokens, request 1234567890123'],
    ['', ''],
  ])('name nobody: %s', (words, shown) => {
    expect(withoutIdentifiers(words)).toBe(shown);
  });

  it('are cut where they are long', () => {
    expect(withoutIdentifiers('x '.repeat(5_000)).length).toBeLessThanOrEqual(1_000);
  });

  // A signature refusal may repeat the canonical request, with the session's token among its headers.
  it('hold no session token', () => {
    const token = `IQoJb3JpZ2luX2Vj${'A1b2'.repeat(40)}==`;
    const words = `The Canonical String for this request should have been\n'POST\n/\n\nhost:bedrock-runtime\nx-amz-date:20261123T000000Z\nx-amz-security-token:${token}\n\nhost;x-amz-date'`;
    expect(asServiceError(awsError('InvalidSignatureException', 403, words), PLACE).message).not.toContain(token);
  });

  it('reach the message only so', () => {
    const { message } = asServiceError(
      awsError('AccessDenied', 403, 'User: arn:aws:iam::111122223333:user/conductor may not assume'),
      PLACE,
    );
    expect(message).not.toContain('111122223333');
    expect(message).not.toContain('user/conductor');
  });
});
