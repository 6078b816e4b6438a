import { z } from 'zod';
import { auditFields, limitFields, tags } from '../record-fields.ts';

/** How an integration proves itself to AWS: the guide's "Current Conductor Role", "Assume External Role", "Access Key/Secret". */
export const CONNECTION_TYPES = ['CONDUCTOR_ROLE', 'EXTERNAL_ROLE', 'ACCESS_KEY'] as const;
export type ConnectionType = (typeof CONNECTION_TYPES)[number];

/** Which fields each connection type cannot do without. Those of the other types may stand beside them and are not read. */
const REQUIRED: Readonly<Record<ConnectionType, readonly ('roleArn' | 'user' | 'api_key')[]>> = {
  CONDUCTOR_ROLE: [],
  EXTERNAL_ROLE: ['roleArn'],
  ACCESS_KEY: ['user', 'api_key'],
};

const ROLE_ARN = /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/;
/** STS: ExternalId, 2 to 1224 characters of these. Of the id itself, not of the form in which a record holds it. */
export const EXTERNAL_ID = /^[\w+=,.@:/-]{2,1224}$/;
export const EXTERNAL_ID_FORM = 'an external id (2 to 1224 characters of letters, digits and +=,.@:/-_)';
const REGION = /^[a-z]{2}(-[a-z]+)+-\d{1,2}$/;

/** How an integration reaches AWS. */
export const integrationConfiguration = z
  .strictObject({
    connectionType: z.enum(CONNECTION_TYPES),
    region: z.string().regex(REGION, 'an AWS region, such as us-east-1'),
    awsAccountId: z.string().nullish(),
    /** EXTERNAL_ROLE. STS: RoleArn, 20 to 2048 characters. */
    roleArn: z
      .string()
      .min(20)
      .max(2048)
      .regex(ROLE_ARN, 'a role ARN, such as arn:aws:iam::111122223333:role/name')
      .nullish(),
    /** EXTERNAL_ROLE. A secret, sealed, as a reference or bare: see `secrets/secret-fields.ts`. */
    externalId: z.string().min(2).nullish(),
    /** ACCESS_KEY: the access key's id. */
    user: z
      .string()
      .regex(/^\w{1,128}$/, 'an access key id')
      .nullish(),
    /** ACCESS_KEY: the secret, in one of the same forms. */
    api_key: z.string().min(1).nullish(),
  })
  .superRefine((value, context) => {
    for (const field of REQUIRED[value.connectionType]) {
      if (value[field] === undefined || value[field] === null) {
        context.addIssue({ code: 'custom', path: [field], message: `missing: ${value.connectionType} needs it` });
      }
    }
  });

/** One field of the hash `cohere:integrations`, in the shape of Orkes' Integration. */
export const integrationRecord = z.strictObject({
  name: z.string().optional(),
  type: z.string().regex(/^aws_bedrock(_[a-z0-9_]+)?$/, 'aws_bedrock_cohere or another aws_bedrock_… type'),
  category: z.literal('AI_MODEL').nullish(),
  description: z.string().nullish(),
  enabled: z
    .boolean()
    .nullish()
    .transform((value) => value ?? true),
  configuration: integrationConfiguration,
  tags,
  /** Of all its models together. */
  ...limitFields,
  modelsCount: z.number().nullish(),
  apis: z.array(z.unknown()).nullish(),
  ...auditFields,
});

export type Integration = z.infer<typeof integrationRecord>;
export type IntegrationConfiguration = Integration['configuration'];
