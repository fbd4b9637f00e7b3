// What a user's program does with @aws-sdk/client-s3 and its defaults: SigV4, checksums, streams in aws-chunked.
import fs from "node:fs";
import { Readable } from "node:stream";
import * as S3 from "@aws-sdk/client-s3";
import { Upload } from "@aws-sdk/lib-storage";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const MIB = 1024 * 1024;

function connect({ port, secret_id, secret_key }, bucket) {
  return new S3.S3Client({
    endpoint: `http://127.0.0.1:${port}`,
    region: bucket[1],
    forcePathStyle: true,
    maxAttempts: 1,
    credentials: { accessKeyId: secret_id, secretAccessKey: secret_key },
  });
}

const at = ([name], key) => ({ Bucket: name, Key: key });
const source = ([name], key, query = "") => `${name}/${key.split("/").map(encodeURIComponent).join("/")}${query}`;

async function* pieces(path) {
  for await (const piece of fs.createReadStream(path, { highWaterMark: 70_001 })) yield piece;
}

const abilities = {
  upload: ({ s3, bucket, key, path }) =>
    s3.send(new S3.PutObjectCommand({ ...at(bucket, key), Body: fs.readFileSync(path) })),
  // A file as a stream: the SDK sends it in chunks with a checksum behind them.
  upload_file: ({ s3, bucket, key, path }) =>
    s3.send(
      new S3.PutObjectCommand({
        ...at(bucket, key),
        Body: fs.createReadStream(path),
        ContentLength: fs.statSync(path).size,
      }),
    ),
  upload_parts: ({ s3, bucket, key, path }) =>
    new Upload({ client: s3, partSize: 5 * MIB, params: { ...at(bucket, key), Body: fs.readFileSync(path) } }).done(),
  upload_stream: ({ s3, bucket, key, path }) =>
    new Upload({
      client: s3,
      partSize: 5 * MIB,
      params: { ...at(bucket, key), Body: Readable.from(pieces(path)) },
    }).done(),
  async download({ s3, bucket, key, path }) {
    const got = await s3.send(new S3.GetObjectCommand(at(bucket, key)));
    fs.writeFileSync(path, await got.Body.transformToByteArray());
  },
  async download_range({ s3, bucket, key, path, first, last }) {
    const got = await s3.send(new S3.GetObjectCommand({ ...at(bucket, key), Range: `bytes=${first}-${last}` }));
    fs.writeFileSync(path, await got.Body.transformToByteArray());
  },
  async list_keys({ s3, bucket, prefix }) {
    const keys = [];
    const pages = S3.paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket: bucket[0], Prefix: prefix });
    for await (const page of pages) keys.push(...(page.Contents ?? []).map((entry) => entry.Key));
    return keys;
  },
  delete: ({ s3, bucket, key }) =>
    s3.send(new S3.DeleteObjectsCommand({ Bucket: bucket[0], Delete: { Objects: [{ Key: key }] } })),
  presign: ({ s3, bucket, key }) => getSignedUrl(s3, new S3.GetObjectCommand(at(bucket, key)), { expiresIn: 120 }),
  async copy_parts({ s3, source_bucket, source_key, bucket, key }) {
    const head = await s3.send(new S3.HeadObjectCommand(at(source_bucket, source_key)));
    const { UploadId } = await s3.send(new S3.CreateMultipartUploadCommand(at(bucket, key)));
    const Parts = [];
    for (let first = 0; first < head.ContentLength; first += 5 * MIB) {
      const last = Math.min(first + 5 * MIB, head.ContentLength) - 1;
      const PartNumber = Parts.length + 1;
      const { CopyPartResult } = await s3.send(
        new S3.UploadPartCopyCommand({
          ...at(bucket, key),
          UploadId,
          PartNumber,
          CopySource: source(source_bucket, source_key),
          CopySourceRange: `bytes=${first}-${last}`,
          CopySourceIfMatch: head.ETag,
        }),
      );
      Parts.push({ PartNumber, ETag: CopyPartResult.ETag });
    }
    await s3.send(new S3.CompleteMultipartUploadCommand({ ...at(bucket, key), UploadId, MultipartUpload: { Parts } }));
  },
  copy_if_match: ({ s3, source_bucket, source_key, bucket, key, etag }) =>
    s3.send(
      new S3.CopyObjectCommand({
        ...at(bucket, key),
        CopySource: source(source_bucket, source_key),
        CopySourceIfMatch: etag,
      }),
    ),
  copy_version: ({ s3, source_bucket, source_key, version_id, bucket, key }) =>
    s3.send(
      new S3.CopyObjectCommand({
        ...at(bucket, key),
        CopySource: source(source_bucket, source_key, `?versionId=${version_id}`),
      }),
    ),
  async abort({ s3, bucket, key, path }) {
    const { UploadId } = await s3.send(new S3.CreateMultipartUploadCommand(at(bucket, key)));
    await s3.send(
      new S3.UploadPartCommand({ ...at(bucket, key), UploadId, PartNumber: 1, Body: fs.readFileSync(path) }),
    );
    await s3.send(new S3.AbortMultipartUploadCommand({ ...at(bucket, key), UploadId }));
  },
};

const asked = JSON.parse(process.argv[2]);
const { connection, ...rest } = asked.arguments;
try {
  const result = await abilities[asked.ability]({ s3: connect(connection, rest.bucket), ...rest });
  const told = asked.ability === "list_keys" || asked.ability === "presign" ? result : null;
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
} catch (error) {
  const { name, message } = error;
  const statusCode = error.$metadata?.httpStatusCode;
  process.stderr.write(JSON.stringify({ statusCode, code: name, message }), () => process.exit(1));
}
