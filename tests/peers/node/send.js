// Sends log records with the Node SDK: send.js <grpc|proto|json> <host:port> <count> <run>
const { LoggerProvider, BatchLogRecordProcessor } = require("@opentelemetry/sdk-logs");
const { resourceFromAttributes } = require("@opentelemetry/resources");

const [, , form, endpoint, count, run] = process.argv;
const packages = { grpc: "grpc", proto: "proto", json: "http" };
const { OTLPLogExporter } = require(`@opentelemetry/exporter-logs-otlp-${packages[form]}`);
const url = form === "grpc" ? `http://${endpoint}` : `http://${endpoint}/v1/logs`;
const exporter = new OTLPLogExporter({ url, compression: "gzip", timeoutMillis: 10000 });
const provider = new LoggerProvider({
  resource: resourceFromAttributes({ "service.name": "node-peer" }),
  processors: [
    new BatchLogRecordProcessor({ exporter, maxExportBatchSize: 50, maxQueueSize: 100000 }),
  ],
});
const logger = provider.getLogger("peer");
for (let number = 0; number < Number(count); number += 1) {
  logger.emit({
    eventName: "audit.peer",
    body: `record ${number}`,
    attributes: { "audit.action": run, "audit.record.id": `${run}-${number}`, number },
  });
}
provider.forceFlush().then(() => provider.shutdown());
