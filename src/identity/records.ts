import { z } from 'zod';

/**
 * One field of `cohere:access-keys`, by the key's id: whose it is and whether it works. What proves it, the hash of its
 * secret, stands under `cohere:admin:`, where no worker reads.
 */
export const accessKeyRecord = z.strictObject({
  /** The application's id. */
  application: z.string().min(1),
  /** The `uid` of its record: a key made for an application that was deleted does not work for one made anew under its id. */
  applicationUid: z.string().min(1),
  enabled: z.boolean(),
  /** When it was made, in milliseconds. */
  createdAt: z.number(),
  createdBy: z.string().optional(),
});
export type AccessKey = z.infer<typeof accessKeyRecord>;

/** One field of `cohere:token-keys`, by its key id: a public key (RFC 8037) that proves tokens of this installation. */
export const tokenKeyRecord = z.strictObject({
  /** The installation: the `iss` of its tokens. */
  issuer: z.string().min(1),
  publicKey: z.strictObject({
    kty: z.literal('OKP'),
    crv: z.literal('Ed25519'),
    /** 32 bytes in base64url. */
    x: z.string().regex(/^[\w-]{43}$/, '32 bytes in base64url'),
  }),
  createdAt: z.number(),
});
export type TokenKey = z.infer<typeof tokenKeyRecord>;
