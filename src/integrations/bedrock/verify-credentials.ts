import { GetCallerIdentityCommand, STSClient } from '@aws-sdk/client-sts';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import type { Logger } from 'pino';
import type { IntegrationConfiguration } from '../integration.ts';
import type { SecretSources } from '../secrets/open-secret.ts';
import { credentialsLoader, loadFromDefaultChain } from './connection-types.ts';
import { refreshingCredentials } from './credentials.ts';
import { asServiceError } from './errors.ts';

/**
 * Gets an integration's credentials as a worker would and asks STS whose they are, which needs no permission
 * (AWS: API_GetCallerIdentity). Throws CREDENTIALS_FAILED, SECRET_UNAVAILABLE, or BEDROCK_UNAVAILABLE where STS does
 * not answer.
 */
export async function verifyCredentials(parts: {
  readonly integration: string;
  readonly configuration: IntegrationConfiguration;
  readonly secrets: SecretSources;
  readonly log: Logger;
}): Promise<void> {
  const { integration, configuration, secrets, log } = parts;
  const conductorRole = refreshingCredentials({ load: loadFromDefaultChain, name: integration, log });
  try {
    const credentials = await credentialsLoader({ integration, configuration, secrets, conductorRole })();
    const client = new STSClient({
      region: configuration.region,
      credentials,
      maxAttempts: 1,
      requestHandler: new UndiciHttpHandler({ dispatcher: { connect: { timeout: 5_000 }, headersTimeout: 10_000 } }),
    });
    try {
      await client.send(new GetCallerIdentityCommand({}));
    } finally {
      client.destroy();
    }
  } catch (error) {
    throw asServiceError(error, { integration, model: '(sts)' });
  }
}
