// What a user's program does with cos-nodejs-sdk-v5, the gateway being its HTTP proxy: host names stay COS's own.
import fs from "node:fs";

const asked = JSON.parse(process.argv[2]);
const COS = (await import(asked.package)).default;
const MIB = 1024 * 1024;

function connect({ port, secret_id, secret_key }) {
  return new COS({
    SecretId: secret_id,
    SecretKey: secret_key,
    Protocol: "http:",
    Proxy: `http://127.0.0.1:${port}`,
    ChunkRetryTimes: 0,
    ChunkSize: MIB,
    SliceSize: 5 * MIB,
    CopyChunkSize: 5 * MIB,
    CopySliceSize: 5 * MIB,
  });
}

const at = ([name, region], key) => ({ Bucket: name, Region: region, Key: key });
const source = ([name, region], key, query = "") =>
  `${name}.cos.${region}.myqcloud.com/${key.split("/").map(encodeURIComponent).join("/")}${query}`;

const abilities = {
  upload: ({ cos, bucket, key, path }) => cos.putObject({ ...at(bucket, key), Body: fs.readFileSync(path) }),
  upload_parts: ({ cos, bucket, key, path }) => cos.sliceUploadFile({ ...at(bucket, key), FilePath: path }),
  upload_stream: ({ cos, bucket, key, path }) =>
    cos.putObject({ ...at(bucket, key), Body: fs.createReadStream(path) }),
  async download({ cos, bucket, key, path }) {
    fs.writeFileSync(path, (await cos.getObject(at(bucket, key))).Body);
  },
  async download_range({ cos, bucket, key, path, first, last }) {
    const got = await cos.getObject({ ...at(bucket, key), Range: `bytes=${first}-${last}` });
    fs.writeFileSync(path, got.Body);
  },
  async list_keys({ cos, bucket, prefix }) {
    const keys = [];
    let marker = "";
    for (;;) {
      const page = await cos.getBucket({ ...at(bucket), Prefix: prefix, MaxKeys: 2, Marker: marker });
      keys.push(...page.Contents.map((entry) => entry.Key));
      if (page.IsTruncated !== "true") return keys;
      marker = page.NextMarker || keys.at(-1);
    }
  },
  async delete({ cos, bucket, key }) {
    await cos.deleteMultipleObject({ ...at(bucket), Objects: [{ Key: key }] });
  },
  presign: ({ cos, bucket, key }) =>
    new Promise((resolve, reject) =>
      cos.getObjectUrl({ ...at(bucket, key), Sign: true, Protocol: "http:" }, (error, data) =>
        error ? reject(error) : resolve(data.Url),
      ),
    ),
  copy_parts: ({ cos, source_bucket, source_key, bucket, key }) =>
    cos.sliceCopyFile({ ...at(bucket, key), CopySource: source(source_bucket, source_key) }),
  copy_if_match: ({ cos, source_bucket, source_key, bucket, key, etag }) =>
    cos.putObjectCopy({ ...at(bucket, key), CopySource: source(source_bucket, source_key), CopySourceIfMatch: etag }),
  copy_version: ({ cos, source_bucket, source_key, version_id, bucket, key }) =>
    cos.putObjectCopy({
      ...at(bucket, key),
      CopySource: source(source_bucket, source_key, `?versionId=${version_id}`),
    }),
  async abort({ cos, bucket, key, path }) {
    const { UploadId } = await cos.multipartInit(at(bucket, key));
    await cos.multipartUpload({ ...at(bucket, key), UploadId, PartNumber: 1, Body: fs.readFileSync(path) });
    await cos.multipartAbort({ ...at(bucket, key), UploadId });
  },
};

const { connection, ...rest } = asked.arguments;
try {
  const result = await abilities[asked.ability]({ cos: connect(connection), ...rest });
  const told = asked.ability === "list_keys" || asked.ability === "presign" ? result : null;
  process.stdout.write(JSON.stringify(told), () => process.exit(0));
} catch (error) {
  const { statusCode, code, message } = error;
  process.stderr.write(JSON.stringify({ statusCode, code: error.error?.Code ?? code, message }), () => process.exit(1));
}
