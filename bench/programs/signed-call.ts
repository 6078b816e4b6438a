/** The same signed call for every program that is measured: Embed v4 over the AWS SDK and undici, as the worker makes it. */
import { BedrockRuntimeClient, InvokeModelCommand } from '@aws-sdk/client-bedrock-runtime';
import { UndiciHttpHandler } from '@smithy/undici-http-handler';
import { Agent } from 'undici';

const client = new BedrockRuntimeClient({
  region: 'us-east-1',
  requestHandler: new UndiciHttpHandler({ dispatcher: new Agent() }),
  maxAttempts: 1,
});

export async function embed(model: string, text: string): Promise<number[]> {
  const output = await client.send(
    new InvokeModelCommand({
      modelId: model,
      contentType: 'application/json',
      accept: 'application/json',
      body: JSON.stringify({
        texts: [text],
        input_type: 'search_document',
        embedding_types: ['float'],
        output_dimension: 256,
      }),
    }),
  );
  return JSON.parse(output.body.transformToString()).embeddings.float[0];
}
