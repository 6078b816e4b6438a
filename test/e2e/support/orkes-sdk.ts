/** Orkes' own JavaScript SDK, unmodified, as somebody who calls a running `admin`. */
import {
  type ApplicationClient,
  type AuthorizationClient,
  createConductorClient,
  type IntegrationClient,
  OrkesClients,
  type PromptClient,
} from '@io-orkes/conductor-javascript';
import type { RunningAdmin } from '../../support/admin.ts';

export interface OrkesSdk {
  readonly integrations: IntegrationClient;
  readonly prompts: PromptClient;
  readonly authorization: AuthorizationClient;
  readonly applications: ApplicationClient;
  /** The methods of these clients that nobody has called yet. */
  notCalled(...clients: readonly object[]): string[];
  close(): void;
}

/** `fetch`: in place of Node's, to watch what the SDK sends. */
export async function connectOrkesSdk(server: RunningAdmin, watching?: typeof fetch): Promise<OrkesSdk> {
  const { id, secret } = server.adminKey;
  const client = await createConductorClient(
    { serverUrl: `${server.url}/api`, keyId: id, keySecret: secret },
    watching,
  );
  const orkes = new OrkesClients(client);
  const called = new Set<string>();

  /** Notes which methods are called, and changes nothing of them. */
  const noted = <Client extends object>(one: Client): Client =>
    new Proxy(one, {
      get(target, name, receiver) {
        called.add(String(name));
        return Reflect.get(target, name, receiver);
      },
    });

  return {
    integrations: noted(orkes.getIntegrationClient()),
    prompts: noted(orkes.getPromptClient()),
    authorization: noted(orkes.getAuthorizationClient()),
    applications: noted(orkes.getApplicationClient()),
    notCalled: (...clients) =>
      clients
        .flatMap((one) => Object.getOwnPropertyNames(Object.getPrototypeOf(one)))
        .filter((name) => name !== 'constructor' && !called.has(name)),
    close: () => client.stopBackgroundRefresh(),
  };
}
