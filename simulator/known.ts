/**
 * What the simulator knows from the start: fixed secrets for tests, the quickstart and the examples. None of them is
 * worth anything outside of the simulator.
 */

/** The account everything lives in; AWS's own documentation uses this number for examples. */
export const ACCOUNT = '111122223333';

/** The environment's key pair: what the default chain of a worker finds (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`). */
export const ENVIRONMENT_CREDENTIALS = {
  accessKeyId: 'AKIASIMULATOR0000001',
  secretAccessKey: 'simulator-secret-access-key-0000000000001',
} as const;

/** A second key pair, for integrations that bring their own (`connectionType: ACCESS_KEY`). */
export const INTEGRATION_CREDENTIALS = {
  accessKeyId: 'AKIASIMULATOR0000002',
  secretAccessKey: 'simulator-secret-access-key-0000000000002',
} as const;

/** A role that wants an external id, as the one who gives it to a third party should ask for. */
export const ROLE = {
  arn: `arn:aws:iam::${ACCOUNT}:role/bedrock-caller`,
  externalId: 'conductor-external-id',
} as const;

/** A role that wants none. */
export const OPEN_ROLE = { arn: `arn:aws:iam::${ACCOUNT}:role/bedrock-caller-open` } as const;

const hostedArn = (resource: string) => `arn:aws:bedrock:us-east-1:${ACCOUNT}:${resource}` as const;

/** Models that a customer hosts, each behind an ARN that hides its family; all of them in us-east-1. */
export const HOSTED = {
  command: hostedArn('imported-model/command'),
  commandLight: hostedArn('imported-model/command-light'),
  commandR: hostedArn('imported-model/command-r'),
  embedV3: hostedArn('provisioned-model/embed-v3'),
  embedV4: hostedArn('application-inference-profile/embed-v4'),
  chat: hostedArn('application-inference-profile/chat'),
} as const;
