"""For Go, Java and Node: each with its own COS SDK, copying in parts."""

from __future__ import annotations

import textwrap
from urllib.parse import urlsplit

from gateway.cli.snippets.place import SAMPLE_KEY, goes_by_name


def go_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For cos-go-sdk-v5. Its MultiCopy asks for the source under its real name; a loop says what happens."""
    parts = urlsplit(endpoint)
    named = goes_by_name(endpoint)
    host = f"%s.{parts.netloc}" if named else f"%s.cos.{region}.myqcloud.com"
    transport = "http.DefaultTransport" if named else "&http.Transport{Proxy: http.ProxyURL(gateway)}"
    parse = "" if named else f'gateway, _ := url.Parse("{endpoint}")\n\t'
    template = """\
        package main

        import (
        \t"context"
        \t"fmt"
        \t"net/http"
        \t"net/url"

        \t"github.com/tencentyun/cos-go-sdk-v5"
        )

        func client(bucket string) *cos.Client {
        \t@PARSE@at, _ := url.Parse(fmt.Sprintf("@SCHEME@://@HOST@", bucket))
        \treturn cos.NewClient(&cos.BaseURL{BucketURL: at}, &http.Client{
        \t\tTransport: &cos.AuthorizationTransport{
        \t\t\tSecretID: "@ID@", SecretKey: "@SECRET@",
        \t\t\tTransport: @TRANSPORT@,
        \t\t},
        \t})
        }

        func check(err error) {
        \tif err != nil {
        \t\tpanic(err)
        \t}
        }

        func main() {
        \tctx := context.Background()
        \there, origin := client("@BUCKET@").Object, client("@SOURCE@").Object
        \tfrom := "@SOURCE@.cos.@REGION@.myqcloud.com/@KEY@"
        \thead, err := origin.Head(ctx, "@KEY@", nil)
        \tcheck(err)
        \tupload, _, err := here.InitiateMultipartUpload(ctx, "films/film.mov", nil)
        \tcheck(err)
        \tdone, step := &cos.CompleteMultipartUploadOptions{}, int64(64<<20)
        \tfor number, first := 1, int64(0); first < head.ContentLength; number, first = number+1, first+step {
        \t\tlast := min(first+step, head.ContentLength) - 1
        \t\topt := &cos.ObjectCopyPartOptions{XCosCopySourceRange: fmt.Sprintf("bytes=%d-%d", first, last)}
        \t\tpart, _, err := here.CopyPart(ctx, "films/film.mov", upload.UploadID, number, from, opt)
        \t\tcheck(err)
        \t\tdone.Parts = append(done.Parts, cos.Object{PartNumber: number, ETag: part.ETag})
        \t}
        \tresult, _, err := here.CompleteMultipartUpload(ctx, "films/film.mov", upload.UploadID, done)
        \tcheck(err)
        \tfmt.Println(result.ETag)
        }
        """
    return _filled(
        template,
        PARSE=parse, SCHEME=parts.scheme, HOST=host, ID=key_id, SECRET=secret, TRANSPORT=transport,
        BUCKET=bucket, SOURCE=source, REGION=region, KEY=SAMPLE_KEY,
    )  # fmt: skip


def java_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For cos_api (cos-java-sdk-v5). The resolver sends every request to the gateway; its Host stays COS's own."""
    parts = urlsplit(endpoint)
    template = """\
        import com.qcloud.cos.*;
        import com.qcloud.cos.auth.*;
        import com.qcloud.cos.endpoint.EndpointResolver;
        import com.qcloud.cos.http.HttpProtocol;
        import com.qcloud.cos.model.*;
        import com.qcloud.cos.region.Region;
        import java.util.*;

        public class Copy {
            public static void main(String[] arguments) {
                ClientConfig config = new ClientConfig(new Region("@REGION@"));
                config.setHttpProtocol(HttpProtocol.@SCHEME@);
                config.setEndpointResolver(new EndpointResolver() {
                    public String resolveGeneralApiEndpoint(String host) { return "@NETLOC@"; }
                    public String resolveGetServiceApiEndpoint(String host) { return "@NETLOC@"; }
                });
                COSClient cos = new COSClient(new BasicCOSCredentials("@ID@", "@SECRET@"), config);
                long size = cos.getObjectMetadata("@SOURCE@", "@KEY@").getContentLength(), step = 64L << 20;
                String upload = cos.initiateMultipartUpload(
                    new InitiateMultipartUploadRequest("@BUCKET@", "films/film.mov")).getUploadId();
                List<PartETag> parts = new ArrayList<>();
                for (long first = 0; first < size; first += step) {
                    CopyPartRequest part = new CopyPartRequest();
                    part.setSourceBucketRegion(new Region("@REGION@"));
                    part.setSourceBucketName("@SOURCE@");
                    part.setSourceKey("@KEY@");
                    part.setDestinationBucketName("@BUCKET@");
                    part.setDestinationKey("films/film.mov");
                    part.setUploadId(upload);
                    part.setPartNumber(parts.size() + 1);
                    part.setFirstByte(first);
                    part.setLastByte(Math.min(first + step, size) - 1);
                    parts.add(cos.copyPart(part).getPartETag());
                }
                System.out.println(cos.completeMultipartUpload(
                    new CompleteMultipartUploadRequest("@BUCKET@", "films/film.mov", upload, parts)).getETag());
                cos.shutdown();
            }
        }
        """
    return _filled(
        template,
        REGION=region, SCHEME=parts.scheme, NETLOC=parts.netloc, ID=key_id, SECRET=secret,
        BUCKET=bucket, SOURCE=source, KEY=SAMPLE_KEY,
    )  # fmt: skip


def node_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For cos-nodejs-sdk-v5."""
    parts = urlsplit(endpoint)
    named = goes_by_name(endpoint)
    way = f'Domain: "{{Bucket}}.{parts.netloc}"' if named else f'Proxy: "{endpoint}"'
    template = """\
        const COS = require("cos-nodejs-sdk-v5");

        const cos = new COS({
          SecretId: "@ID@", SecretKey: "@SECRET@",
          Protocol: "@SCHEME@:", @WAY@,
        });
        cos.sliceCopyFile({
          Bucket: "@BUCKET@", Region: "@REGION@", Key: "films/film.mov",
          CopySource: "@SOURCE@.cos.@REGION@.myqcloud.com/@KEY@",
          CopySliceSize: 64 * 1024 ** 2, CopyChunkSize: 64 * 1024 ** 2,
        }).then(({ ETag }) => console.log(ETag), (error) => { console.error(error); process.exitCode = 1; });
        """
    return _filled(
        template,
        ID=key_id, SECRET=secret, SCHEME=parts.scheme, WAY=way,
        BUCKET=bucket, REGION=region, SOURCE=source, KEY=SAMPLE_KEY,
    )  # fmt: skip


def aws_js_snippet(*, endpoint: str, key_id: str, secret: str, bucket: str, region: str, source: str) -> str:
    """For @aws-sdk/client-s3, the S3 way. One request copies up to 5 GiB."""
    template = """\
        const { S3Client, CopyObjectCommand } = require("@aws-sdk/client-s3");

        const s3 = new S3Client({
          endpoint: "@ENDPOINT@", region: "@REGION@", forcePathStyle: true,
          credentials: { accessKeyId: "@ID@", secretAccessKey: "@SECRET@" },
          requestChecksumCalculation: "WHEN_REQUIRED", responseChecksumValidation: "WHEN_REQUIRED",
        });
        s3.send(new CopyObjectCommand({
          Bucket: "@BUCKET@", Key: "films/film.mov", CopySource: "@SOURCE@/@KEY@",
        })).then(({ CopyObjectResult }) => console.log(CopyObjectResult.ETag), (error) => {
          console.error(error);
          process.exitCode = 1;
        });
        """
    return _filled(
        template,
        ENDPOINT=endpoint, ID=key_id, SECRET=secret, BUCKET=bucket, REGION=region, SOURCE=source, KEY=SAMPLE_KEY,
    )  # fmt: skip


def _filled(template: str, **values: str) -> str:
    text = textwrap.dedent(template)
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
