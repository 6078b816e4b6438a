import { NAME } from './garden.ts';

/** For schemathesis' own configuration: most names are of something that is there; the rest are anything. */
export function vocabulary(key: { readonly id: string; readonly secret: string }): string {
  const dictionaries: Record<string, readonly (string | number)[]> = {
    names: [NAME],
    models: ['m', 'cohere.embed-v4:0'],
    roles: [NAME, 'USER'],
    versions: [1, 2],
    keys: [key.id, NAME],
    'key-secrets': [key.secret],
    connections: ['ACCESS_KEY', 'CONDUCTOR_ROLE', 'EXTERNAL_ROLE'],
    regions: ['us-east-1'],
    secrets: ['secret', '********', 'env:SECRET', ''],
    'role-arns': ['arn:aws:iam::111122223333:role/bedrock'],
    subjects: ['USER', 'GROUP', 'ROLE'],
    targets: ['INTEGRATION_PROVIDER', 'INTEGRATION', 'PROMPT', 'TAG', 'APPLICATION', 'WORKFLOW_DEF'],
    ids: [NAME, `${NAME}:m`, `app:${NAME}`],
    accesses: ['READ', 'EXECUTE', 'update'],
  };
  const bindings: Record<string, [string, number]> = {
    'path.name': ['names', 0.8],
    'path.id': ['names', 0.8],
    'path.groupId': ['names', 0.8],
    'path.userId': ['ids', 0.8],
    'path.prompt': ['names', 0.8],
    'path.model': ['models', 0.8],
    'path.role': ['roles', 0.7],
    'path.version': ['versions', 0.7],
    'path.keyId': ['keys', 0.7],
    'path.accessKeyId': ['keys', 0.7],
    'path.type': ['targets', 0.8],
    'query.type': ['targets', 0.8],
    'query.id': ['ids', 0.8],
    'query.models': ['ids', 0.5],
    'query.version': ['versions', 0.5],
    'body.keyId': ['keys', 0.9],
    'body.keySecret': ['key-secrets', 0.9],
    'body.api': ['models', 0.7],
    'body.integrationName': ['names', 0.7],
    'body.configuration.connectionType': ['connections', 0.9],
    'body.configuration.region': ['regions', 0.9],
    'body.configuration.api_key': ['secrets', 0.9],
    'body.configuration.externalId': ['secrets', 0.9],
    'body.configuration.roleArn': ['role-arns', 0.9],
    'body.subject.type': ['subjects', 0.9],
    'body.subject.id': ['ids', 0.8],
    'body.target.type': ['targets', 0.9],
    'body.target.id': ['ids', 0.8],
    'body.access[*]': ['accesses', 0.9],
  };
  return [
    ...Object.entries(dictionaries).map(
      ([name, values]) => `[dictionaries.${name}]\nvalues = ${JSON.stringify(values)}\n`,
    ),
    '[parameters]',
    ...Object.entries(bindings).map(
      ([name, [dictionary, probability]]) =>
        `${JSON.stringify(name)} = { dictionary = ${JSON.stringify(dictionary)}, probability = ${probability} }`,
    ),
  ].join('\n');
}
