// Sends log records with the Java SDK: Send <grpc|http> <host:port> <count> <run>

import io.opentelemetry.api.common.AttributeKey;
import io.opentelemetry.api.logs.Logger;
import io.opentelemetry.exporter.otlp.http.logs.OtlpHttpLogRecordExporter;
import io.opentelemetry.exporter.otlp.logs.OtlpGrpcLogRecordExporter;
import io.opentelemetry.sdk.logs.SdkLoggerProvider;
import io.opentelemetry.sdk.logs.export.BatchLogRecordProcessor;
import io.opentelemetry.sdk.logs.export.LogRecordExporter;
import io.opentelemetry.sdk.resources.Resource;
import java.time.Duration;
import java.util.concurrent.TimeUnit;

public class Send {
  public static void main(String[] given) {
    String form = given[0], endpoint = given[1], run = given[3];
    int count = Integer.parseInt(given[2]);
    LogRecordExporter exporter =
        form.equals("grpc")
            ? OtlpGrpcLogRecordExporter.builder()
                .setEndpoint("http://" + endpoint)
                .setTimeout(Duration.ofSeconds(10))
                .build()
            : OtlpHttpLogRecordExporter.builder()
                .setEndpoint("http://" + endpoint + "/v1/logs")
                .setCompression("gzip")
                .setTimeout(Duration.ofSeconds(10))
                .build();
    SdkLoggerProvider provider =
        SdkLoggerProvider.builder()
            .setResource(
                Resource.builder().put(AttributeKey.stringKey("service.name"), "java-peer").build())
            .addLogRecordProcessor(
                BatchLogRecordProcessor.builder(exporter)
                    .setMaxExportBatchSize(50)
                    .setMaxQueueSize(100_000)
                    .setScheduleDelay(Duration.ofMillis(200))
                    .setExporterTimeout(Duration.ofSeconds(30))
                    .build())
            .build();
    Logger logger = provider.get("peer");
    for (int number = 0; number < count; number++) {
      logger
          .logRecordBuilder()
          .setEventName("audit.peer")
          .setBody("record " + number)
          .setAttribute(AttributeKey.stringKey("audit.action"), run)
          .setAttribute(AttributeKey.stringKey("audit.record.id"), run + "-" + number)
          .setAttribute(AttributeKey.longKey("number"), (long) number)
          .emit();
    }
    provider.forceFlush().join(60, TimeUnit.SECONDS);
    provider.shutdown().join(20, TimeUnit.SECONDS);
    System.exit(0);
  }
}
