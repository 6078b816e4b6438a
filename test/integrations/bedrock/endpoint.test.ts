import { expect, it } from 'vitest';
import { bedrockEndpoint } from '../../../src/integrations/bedrock/endpoint.ts';

it.each([
  [{}, undefined],
  [{ AWS_ENDPOINT_URL_STS: 'http://sts' }, undefined],
  [{ AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_BEDROCK_RUNTIME: '' }, 'http://all'],
  [{ AWS_ENDPOINT_URL: 'http://all', AWS_ENDPOINT_URL_BEDROCK_RUNTIME: 'http://bedrock' }, 'http://bedrock'],
])('calls of Bedrock go where the environment %j turns them to', (variables, endpoint) => {
  expect(bedrockEndpoint(variables)).toBe(endpoint);
});
