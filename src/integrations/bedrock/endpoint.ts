/**
 * Where an environment turns calls of Bedrock Runtime to; undefined: to AWS's own endpoint of each region. Read by AWS's SDK itself
 * (AWS: "Service-specific endpoints", sdkref/latest/guide/feature-ss-endpoints.html); here only to tell one from another.
 */
export function bedrockEndpoint(variables: Readonly<Record<string, string | undefined>>): string | undefined {
  return variables['AWS_ENDPOINT_URL_BEDROCK_RUNTIME'] || variables['AWS_ENDPOINT_URL'] || undefined;
}
