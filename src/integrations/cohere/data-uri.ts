/** 5 MB of the image itself. Source: AWS, userguide/model-parameters-embed-v3.html; v4's page names no limit, and the same is held to. */
export const MAXIMUM_IMAGE_BYTES = 5 * 1024 * 1024;

const HEAD = /^data:image\/([A-Za-z0-9.+-]+);base64,/;
const BASE64 = /^[A-Za-z0-9+/]+={0,2}$/;

/**
 * What is wrong with an image that should be a data URI of one of the formats (`png`, …); undefined: nothing. An address is
 * refused as such: nothing is ever fetched. The words never repeat the image.
 */
export function faultOfImage(image: string, formats: readonly string[]): string | undefined {
  const known = formats.map((format) => `image/${format}`).join(', ');
  const head = HEAD.exec(image);
  if (head === null) {
    const isAddress = /^[a-z][a-z0-9+.-]*:\/\//i.test(image);
    const why = isAddress ? 'is an address, and nothing is fetched' : 'is not a data URI';
    return `${why}: give data:<type>;base64,<data>, the type being one of ${known}`;
  }
  // Bedrock compares the type as it is written.
  const [start, format = ''] = head;
  if (!formats.includes(format)) return `is of the type image/${format.slice(0, 20)}; one of ${known} is taken`;
  const encoded = image.slice(start.length);
  if (!BASE64.test(encoded) || encoded.length % 4 === 1) return 'holds no base64 data';
  const bytes = Math.floor((encoded.replace(/=+$/, '').length * 3) / 4);
  return bytes > MAXIMUM_IMAGE_BYTES
    ? `has ${bytes} bytes; an image may have ${MAXIMUM_IMAGE_BYTES} (5 MB) at most`
    : undefined;
}
