import { z } from 'zod';
import { wireTag } from './common.ts';

const formField = z.object({
  fieldName: z.string(),
  fieldType: z.enum(['DROPDOWN', 'TEXT', 'PASSWORD', 'FILE']),
  label: z.string(),
  description: z.string(),
  optional: z.boolean(),
  defaultValue: z.string().optional(),
  valueOptions: z.array(z.object({ label: z.string(), value: z.string() })).optional(),
  /** Shown only where every one of these fields has the value. */
  dependsOn: z.array(z.object({ fieldName: z.string(), value: z.string() })).optional(),
});
type FormField = z.infer<typeof formField>;

/** Orkes' IntegrationDef: what a page needs to draw the form of an integration. */
export const integrationDef = z.object({
  name: z.string(),
  type: z.string(),
  category: z.literal('AI_MODEL'),
  categoryLabel: z.string(),
  description: z.string(),
  enabled: z.boolean(),
  iconName: z.string(),
  tags: z.array(wireTag),
  configuration: z.array(formField),
});

const onlyFor = (connectionType: string): FormField['dependsOn'] => [
  { fieldName: 'connectionType', value: connectionType },
];

/** In the words and the order of Orkes' guide to AWS Bedrock Cohere. */
const FIELDS: FormField[] = [
  {
    fieldName: 'connectionType',
    fieldType: 'DROPDOWN',
    label: 'Connection type',
    description: 'How the connection to AWS is made.',
    optional: false,
    defaultValue: 'CONDUCTOR_ROLE',
    valueOptions: [
      { label: 'Current Conductor Role', value: 'CONDUCTOR_ROLE' },
      { label: 'Assume External Role', value: 'EXTERNAL_ROLE' },
      { label: 'Access Key/Secret', value: 'ACCESS_KEY' },
    ],
  },
  {
    fieldName: 'region',
    fieldType: 'TEXT',
    label: 'Region',
    description: 'The AWS region where the models are, such as us-east-1.',
    optional: false,
  },
  {
    fieldName: 'awsAccountId',
    fieldType: 'PASSWORD',
    label: 'Account ID',
    description: 'Your AWS account id.',
    optional: true,
  },
  {
    fieldName: 'roleArn',
    fieldType: 'TEXT',
    label: 'Role ARN',
    description: 'The ARN of the role to assume.',
    optional: false,
    dependsOn: onlyFor('EXTERNAL_ROLE'),
  },
  {
    fieldName: 'externalId',
    fieldType: 'PASSWORD',
    label: 'External ID',
    description: 'What the trust policy of a role in another account asks for.',
    optional: true,
    dependsOn: onlyFor('EXTERNAL_ROLE'),
  },
  {
    fieldName: 'user',
    fieldType: 'TEXT',
    label: 'Access key',
    description: 'The AWS access key.',
    optional: false,
    dependsOn: onlyFor('ACCESS_KEY'),
  },
  {
    fieldName: 'api_key',
    fieldType: 'PASSWORD',
    label: 'Access secret',
    description: 'The AWS access secret. It is stored sealed and never shown again.',
    optional: false,
    dependsOn: onlyFor('ACCESS_KEY'),
  },
];

export const INTEGRATION_DEFS: z.infer<typeof integrationDef>[] = [
  {
    name: 'aws_bedrock_cohere',
    type: 'aws_bedrock_cohere',
    category: 'AI_MODEL',
    categoryLabel: 'AI/LLM',
    description: 'AWS Bedrock Cohere',
    enabled: true,
    iconName: 'aws_bedrock_cohere',
    tags: [],
    configuration: FIELDS,
  },
];
