import { AssumeRoleCommand, STSClient } from '@aws-sdk/client-sts';
import { defaultProvider } from '@aws-sdk/credential-provider-node';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import { ServiceError } from '../../errors.ts';
import type { SecretPlace } from '../../secrets/envelope.ts';
import { EXTERNAL_ID, EXTERNAL_ID_FORM, type IntegrationConfiguration } from '../integration.ts';
import { openSecret, type SecretSources } from '../secrets/open-secret.ts';
import { secretPlace } from '../secrets/secret-fields.ts';
import type { AwsCredentials, CredentialsSource } from './credentials.ts';

/** What an assumed role may be used for, whatever else it may do: InvokeModel is what Converse needs, too. */
const SESSION_POLICY = JSON.stringify({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action: ['bedrock:InvokeModel*', 'bedrock:ApplyGuardrail'], Resource: '*' }],
});

/** An hour: the most that STS gives when the base credentials are a role's themselves (AWS: "role chaining"). */
const SESSION_SECONDS = 3_600;

/** AWS's default chain (environment, files, container, instance), asked afresh at every call. */
export async function loadFromDefaultChain(): Promise<AwsCredentials> {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = await defaultProvider({ ignoreCache: true })();
  return withoutAbsent({ accessKeyId, secretAccessKey, sessionToken, expiration });
}

export interface LoaderParts {
  readonly integration: string;
  readonly configuration: IntegrationConfiguration;
  readonly secrets: SecretSources;
  /** The default chain, shared by all integrations of a worker. */
  readonly conductorRole: CredentialsSource;
}

/** How to get credentials for one integration; each call asks anew. Throws SECRET_UNAVAILABLE, or what AWS throws. */
export function credentialsLoader(parts: LoaderParts): () => Promise<AwsCredentials> {
  switch (parts.configuration.connectionType) {
    case 'CONDUCTOR_ROLE':
      return () => parts.conductorRole.get();
    case 'ACCESS_KEY':
      return () => loadAccessKey(parts);
    case 'EXTERNAL_ROLE':
      return () => assumeRole(parts);
  }
}

async function loadAccessKey({ integration, configuration, secrets }: LoaderParts): Promise<AwsCredentials> {
  const place = secretPlace(integration, 'api_key');
  const { field } = place;
  const secretAccessKey = await openSecret(configuration.api_key ?? '', place, secrets);
  // The SDK would sign with empty ones, and a session token from the environment must never be mixed in.
  if (!configuration.user || secretAccessKey === '') {
    throw new ServiceError('SECRET_UNAVAILABLE', `${field}: the access key or its secret is empty`, { field });
  }
  return { accessKeyId: configuration.user, secretAccessKey };
}

async function assumeRole({
  integration,
  configuration,
  secrets,
  conductorRole,
}: LoaderParts): Promise<AwsCredentials> {
  const externalId =
    configuration.externalId === undefined || configuration.externalId === null
      ? undefined
      : await openExternalId(configuration.externalId, secretPlace(integration, 'externalId'), secrets);
  const base = await conductorRole.get();
  try {
    return await requestRole(base);
  } catch (error) {
    // The base credentials may have been revoked or replaced before their time: once more with fresh ones.
    const renewed = isExpired(error) ? await conductorRole.renew(base) : base;
    if (renewed === base) throw error;
    return await requestRole(renewed);
  }

  async function requestRole(credentials: AwsCredentials): Promise<AwsCredentials> {
    const client = new STSClient({
      region: configuration.region,
      credentials,
      requestHandler: new UndiciHttpHandler({ dispatcher: { connect: { timeout: 10_000 }, headersTimeout: 30_000 } }),
    });
    try {
      const { Credentials: given } = await client.send(
        new AssumeRoleCommand({
          RoleArn: configuration.roleArn ?? '',
          RoleSessionName: sessionName(integration),
          DurationSeconds: SESSION_SECONDS,
          Policy: SESSION_POLICY,
          ...(externalId === undefined ? {} : { ExternalId: externalId }),
        }),
      );
      if (!given?.AccessKeyId || !given.SecretAccessKey || !given.SessionToken) {
        throw new ServiceError('CREDENTIALS_FAILED', `${integration}: STS answered without credentials`);
      }
      return withoutAbsent({
        accessKeyId: given.AccessKeyId,
        secretAccessKey: given.SecretAccessKey,
        sessionToken: given.SessionToken,
        expiration: given.Expiration,
      });
    } finally {
      client.destroy();
    }
  }
}

/** Checked here, because STS repeats a malformed one in its refusal. */
async function openExternalId(text: string, place: SecretPlace, secrets: SecretSources): Promise<string> {
  const { field } = place;
  const externalId = await openSecret(text, place, secrets);
  if (EXTERNAL_ID.test(externalId)) return externalId;
  throw new ServiceError('SECRET_UNAVAILABLE', `${field}: not ${EXTERNAL_ID_FORM}`, { field });
}

/** STS: 2 to 64 characters of `[\w+=,.@-]`. It shows in the account's CloudTrail. */
function sessionName(integration: string): string {
  return `bedrock-cohere-${integration}`.replaceAll(/[^\w+=,.@-]/g, '-').slice(0, 64);
}

function isExpired(error: unknown): boolean {
  return error instanceof Error && /Expired|InvalidClientTokenId|UnrecognizedClient/.test(error.name);
}

function withoutAbsent(credentials: {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string | undefined;
  expiration: Date | undefined;
}): AwsCredentials {
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = credentials;
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken === undefined ? {} : { sessionToken }),
    ...(expiration === undefined ? {} : { expiration }),
  };
}
