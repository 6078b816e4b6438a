import {
  type BedrockClient,
  type BedrockRequest,
  CredentialsRefused,
} from '../../../../src/integrations/bedrock/client.ts';

/** As a lane does it: a second attempt, admitted anew, where the first one's credentials were refused. */
export async function sendTwice(client: BedrockClient, request: BedrockRequest) {
  try {
    return await client.send(request);
  } catch (refused) {
    if (!(refused instanceof CredentialsRefused)) throw refused;
    return await client.send({ ...request, refused });
  }
}
