/** Every route of the API with who may, written by hand from the rules of access and not from the source. */
import type { Cell, Kind } from './route-world.ts';

export interface Row {
  /** As the API's own description names it. */
  readonly route: string;
  readonly case?: string;
  /** `{…}` filled in; with a query where one is needed. */
  readonly path: (cell: Cell) => string;
  readonly body?: (cell: Cell) => unknown;
  /** Everybody else is refused: with 401 whoever has no token, with 403 whoever has one. */
  readonly may: readonly Kind[];
  /** What whoever may is answered. Default 200. */
  readonly answer?: number;
}

const SIGNED_IN = [
  ...(['ADMIN', 'USER', 'METADATA_MANAGER', 'USER_READ_ONLY', 'no roles'] as const),
  ...(['creator', 'READ', 'UPDATE', 'EXECUTE', 'DELETE'] as const),
] as const satisfies readonly Kind[];
const EVERYBODY = ['nobody', ...SIGNED_IN] as const satisfies readonly Kind[];
const ADMIN = ['ADMIN'] as const;
/** Whoever created an integration or a prompt holds everything on it; an application's creator, who was ADMIN, nothing. */
const READERS = ['ADMIN', 'creator', 'READ'] as const;
const CHANGERS = ['ADMIN', 'creator', 'UPDATE'] as const;
const DELETERS = ['ADMIN', 'creator', 'DELETE'] as const;
const GRANTORS = ['ADMIN', 'creator'] as const;
const MAKERS = ['ADMIN', 'USER', 'METADATA_MANAGER'] as const;

const integration = ({ id }: Cell) => `/api/integrations/provider/i${id}`;
const model = (cell: Cell) => `${integration(cell)}/integration/m`;
const prompt = ({ id }: Cell) => `/api/prompts/p${id}`;
const group = ({ id }: Cell) => `/api/groups/g${id}`;
const user = ({ id }: Cell) => `/api/users/u${id}`;
const application = ({ id }: Cell) => `/api/applications/a${id}`;
const accessKey = (cell: Cell) => `${application(cell)}/accessKeys/k${cell.id}`;
const role = ({ id }: Cell) => `/api/roles/r${id}`;
const at = (path: string) => () => path;
const then =
  (base: (cell: Cell) => string, rest: string) =>
  (cell: Cell): string =>
    `${base(cell)}${rest}`;

const CONFIGURATION = { connectionType: 'ACCESS_KEY', region: 'us-east-1', user: 'AKIA', api_key: 'secret' };
const aConfiguration = () => ({ configuration: CONFIGURATION });
const aTag = () => [{ key: 'tier', value: 'gold' }];
const aGrant = ({ id }: Cell) => ({
  subject: { type: 'USER', id: `u${id}` },
  target: { type: 'INTEGRATION_PROVIDER', id: `i${id}` },
  access: ['READ'],
});
const nothing = () => ({});

const row = (route: string, path: Row['path'], may: Row['may'], body?: Row['body'], what?: string): Row => ({
  route,
  path,
  may,
  ...(body === undefined ? {} : { body }),
  ...(what === undefined ? {} : { case: what }),
});

const I = '/api/integrations/provider/{name}';
const M = `${I}/integration/{model}`;
const A = '/api/applications/{id}';

export const TABLE: readonly Row[] = [
  row('GET /healthz', at('/healthz'), EVERYBODY),
  row('GET /readyz', at('/readyz'), EVERYBODY),
  row('POST /api/token', at('/api/token'), EVERYBODY, ({ key }) => ({ keyId: key.id, keySecret: key.secret })),
  row('GET /api/token/userInfo', at('/api/token/userInfo'), SIGNED_IN),

  row('GET /api/integrations', at('/api/integrations'), SIGNED_IN),
  row(
    'POST /api/integrations',
    at('/api/integrations'),
    CHANGERS,
    ({ id }) => [{ name: `i${id}`, ...aConfiguration() }],
    'one that is there',
  ),
  row(
    'POST /api/integrations',
    at('/api/integrations'),
    MAKERS,
    ({ id }) => [{ name: `new${id}`, ...aConfiguration() }],
    'a new one',
  ),
  row('GET /api/integrations/provider', at('/api/integrations/provider'), SIGNED_IN),
  row('GET /api/integrations/all', at('/api/integrations/all'), SIGNED_IN),
  row('GET /api/integrations/def', at('/api/integrations/def'), SIGNED_IN),
  row('GET /api/integrations/def/{name}', at('/api/integrations/def/aws_bedrock_cohere'), SIGNED_IN),
  row(`GET ${I}`, integration, READERS),
  row(`POST ${I}`, integration, CHANGERS, aConfiguration, 'one that is there'),
  row(`POST ${I}`, ({ id }) => `/api/integrations/provider/new${id}`, MAKERS, aConfiguration, 'a new one'),
  row(
    `POST ${I}`,
    ({ id }) => `/api/integrations/provider/new${id}`,
    ADMIN,
    () => ({ configuration: { connectionType: 'CONDUCTOR_ROLE', region: 'us-east-1' } }),
    'a new one that acts as the worker',
  ),
  row(`DELETE ${I}`, integration, DELETERS),

  row(`GET ${I}/integration`, then(integration, '/integration'), SIGNED_IN),
  row(`GET ${I}/integration/all`, then(integration, '/integration/all'), SIGNED_IN),
  row(`GET ${M}`, model, READERS),
  row(`POST ${M}`, model, CHANGERS, nothing, 'one that is there'),
  row(`POST ${M}`, then(integration, '/integration/new'), CHANGERS, nothing, 'a new one'),
  row(`DELETE ${M}`, model, DELETERS),
  row(`GET ${M}/prompt`, then(model, '/prompt'), SIGNED_IN),
  row(`POST ${M}/prompt/{prompt}`, (cell) => `${model(cell)}/prompt/p${cell.id}`, ['ADMIN', 'creator'], nothing),
  row(
    'GET /api/integrations/llm/{name}/token/history',
    ({ id }) => `/api/integrations/llm/i${id}/token/history`,
    SIGNED_IN,
  ),
  row(`GET ${I}/metrics`, then(integration, '/metrics'), SIGNED_IN),
  row(`GET ${M}/metrics`, then(model, '/metrics'), READERS),
  row('GET /api/integrations/llm/{name}/token', ({ id }) => `/api/integrations/llm/i${id}/token`, READERS),
  row(
    'POST /api/integrations/llm/{name}/token',
    ({ id }) => `/api/integrations/llm/i${id}/token`,
    CHANGERS,
    () => ({ api: 'm', maxTokens: 5, tokenLimitPeriod: 'DAY' }),
  ),

  row('GET /api/limits', at('/api/limits'), SIGNED_IN),

  row('GET /api/prompts', at('/api/prompts'), SIGNED_IN),
  {
    route: 'POST /api/prompts/test',
    path: at('/api/prompts/test'),
    may: ['ADMIN', 'creator', 'EXECUTE'],
    body: ({ id }) => ({ llmProvider: `i${id}`, model: 'm', prompt: 'Hello ${name}' }),
    // There is no model to call here: whoever may is told that a variable is missing.
    answer: 400,
  },
  row(
    'POST /api/prompts',
    at('/api/prompts'),
    CHANGERS,
    ({ id }) => [{ name: `p${id}`, template: 'Hello' }],
    'one that is there',
  ),
  row('POST /api/prompts', at('/api/prompts'), MAKERS, ({ id }) => [{ name: `new${id}`, template: '' }], 'a new one'),
  row('GET /api/prompts/{name}', prompt, READERS),
  row('POST /api/prompts/{name}', prompt, CHANGERS, () => 'Hello', 'one that is there'),
  row(
    'POST /api/prompts/{name}',
    ({ id }) => `/api/prompts/new${id}`,
    MAKERS,
    () => 'Hello',
    'a new one',
  ),
  row('PUT /api/prompts/{name}', prompt, CHANGERS, () => 'Hello', 'one that is there'),
  row(
    'PUT /api/prompts/{name}',
    ({ id }) => `/api/prompts/new${id}`,
    MAKERS,
    () => 'Hello',
    'a new one',
  ),
  row('DELETE /api/prompts/{name}', prompt, DELETERS),
  row('GET /api/prompts/{name}/versions', then(prompt, '/versions'), READERS),
  row('DELETE /api/prompts/{name}/versions/{version}', then(prompt, '/versions/2'), DELETERS),

  ...(
    [
      [`${I}/tags`, integration, READERS],
      [`${M}/tags`, model, READERS],
      ['/api/prompts/{name}/tags', prompt, READERS],
      [`${A}/tags`, application, ['ADMIN', 'READ']],
    ] as const
  ).flatMap(([route, path, readers]) => [
    row(`GET ${route}`, then(path, '/tags'), readers),
    row(`PUT ${route}`, then(path, '/tags'), GRANTORS, aTag),
    row(`DELETE ${route}`, then(path, '/tags'), GRANTORS, aTag),
  ]),

  row('POST /api/auth/authorization', at('/api/auth/authorization'), GRANTORS, aGrant),
  row('DELETE /api/auth/authorization', at('/api/auth/authorization'), GRANTORS, aGrant),
  row(
    'POST /api/auth/authorization',
    at('/api/auth/authorization'),
    ADMIN,
    (cell) => ({ ...aGrant(cell), target: { type: 'TAG', id: 'tier:gold' } }),
    'on a tag',
  ),
  row(
    'GET /api/auth/authorization/{type}/{id}',
    ({ id }) => `/api/auth/authorization/INTEGRATION_PROVIDER/i${id}`,
    READERS,
  ),

  row('GET /api/groups', at('/api/groups'), SIGNED_IN),
  row('GET /api/groups/{id}', group, ADMIN),
  row('PUT /api/groups/{id}', group, ADMIN, nothing),
  row('DELETE /api/groups/{id}', group, ADMIN),
  row('GET /api/groups/{id}/users', then(group, '/users'), ADMIN),
  row('POST /api/groups/{id}/users', then(group, '/users'), ADMIN, () => ['somebody']),
  row('DELETE /api/groups/{id}/users', then(group, '/users'), ADMIN, () => ['somebody']),
  row('POST /api/groups/{groupId}/users/{userId}', then(group, '/users/somebody'), ADMIN, nothing),
  row('DELETE /api/groups/{groupId}/users/{userId}', then(group, '/users/somebody'), ADMIN, nothing),
  row('GET /api/groups/{groupId}/permissions', then(group, '/permissions'), ADMIN),

  row('GET /api/users', at('/api/users'), SIGNED_IN),
  row('GET /api/users/{id}', user, ADMIN, undefined, 'another user'),
  row('GET /api/users/{id}', ({ userId }) => `/api/users/${userId}`, SIGNED_IN, undefined, 'itself'),
  row('PUT /api/users/{id}', user, ADMIN, nothing),
  row(
    'PUT /api/users/{id}',
    ({ id }) => `/api/users/new${id}`,
    ADMIN,
    () => ({ roles: ['ADMIN'] }),
    'a new one',
  ),
  row('DELETE /api/users/{id}', user, ADMIN),
  row('GET /api/users/{userId}/permissions', then(user, '/permissions'), ADMIN, undefined, 'of another'),
  row(
    'GET /api/users/{userId}/permissions',
    ({ userId }) => `/api/users/${userId}/permissions`,
    SIGNED_IN,
    undefined,
    'its own',
  ),
  row(
    'GET /api/users/{userId}/checkPermissions',
    then(user, '/checkPermissions?type=PROMPT&id=p'),
    ADMIN,
    undefined,
    'of another',
  ),
  row(
    'GET /api/users/{userId}/checkPermissions',
    ({ userId }) => `/api/users/${userId}/checkPermissions?type=PROMPT&id=p`,
    SIGNED_IN,
    undefined,
    'its own',
  ),

  row('GET /api/applications', at('/api/applications'), SIGNED_IN),
  row('POST /api/applications', at('/api/applications'), ADMIN, () => ({ name: 'made' })),
  row(`GET ${A}`, application, ['ADMIN', 'READ']),
  row(`PUT ${A}`, application, ['ADMIN', 'UPDATE'], () => ({ name: 'other' }), 'one that is there'),
  {
    ...row(
      `PUT ${A}`,
      ({ id }) => `/api/applications/new${id}`,
      ADMIN,
      () => ({ name: 'other' }),
      'one that is not there',
    ),
    answer: 404,
  },
  row(`PUT ${A}`, application, ADMIN, () => ({ name: 'other', workflows: ['*'] }), 'which workflows run as it'),
  row(`DELETE ${A}`, application, ['ADMIN', 'DELETE']),
  row(`POST ${A}/roles/{role}`, then(application, '/roles/USER'), ADMIN, nothing),
  row(`DELETE ${A}/roles/{role}`, then(application, '/roles/USER'), ADMIN, nothing),
  row(`GET ${A}/accessKeys`, then(application, '/accessKeys'), ['ADMIN', 'READ']),
  row(`POST ${A}/accessKeys`, then(application, '/accessKeys'), ['ADMIN', 'UPDATE'], nothing),
  row(`POST ${A}/accessKeys/{keyId}/status`, then(accessKey, '/status'), ['ADMIN', 'UPDATE'], nothing),
  row(`DELETE ${A}/accessKeys/{keyId}`, accessKey, ['ADMIN', 'UPDATE']),
  row('GET /api/applications/key/{accessKeyId}', ({ id }) => `/api/applications/key/k${id}`, ['ADMIN', 'READ']),

  row('POST /api/manifests/apply', at('/api/manifests/apply'), ADMIN, () => ({ manifest: {} })),

  row('GET /api/roles', at('/api/roles'), SIGNED_IN),
  row('GET /api/roles/system', at('/api/roles/system'), SIGNED_IN),
  row('GET /api/roles/custom', at('/api/roles/custom'), SIGNED_IN),
  row('GET /api/roles/permissions', at('/api/roles/permissions'), SIGNED_IN),
  row('GET /api/roles/{name}', role, SIGNED_IN),
  row('POST /api/roles', at('/api/roles'), ADMIN, ({ id }) => ({ name: `new${id}` })),
  row('PUT /api/roles/{name}', role, ADMIN, nothing),
  row('DELETE /api/roles/{name}', role, ADMIN),

  row('GET /api/audit', at('/api/audit'), ADMIN),
  row('GET /api/usage/subjects', at('/api/usage/subjects'), ADMIN),
];
