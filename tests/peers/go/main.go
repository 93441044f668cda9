// Sends spans with the Go SDK: send <grpc|http> <host:port> <count> <run>
package main

import (
	"context"
	"log"
	"os"
	"strconv"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"
)

func main() {
	form, endpoint, run := os.Args[1], os.Args[2], os.Args[4]
	count, err := strconv.Atoi(os.Args[3])
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	var client otlptrace.Client
	if form == "grpc" {
		client = otlptracegrpc.NewClient(
			otlptracegrpc.WithEndpoint(endpoint),
			otlptracegrpc.WithInsecure(),
			otlptracegrpc.WithRetry(otlptracegrpc.RetryConfig{
				Enabled: true, InitialInterval: 200 * time.Millisecond,
				MaxInterval: time.Second, MaxElapsedTime: time.Minute,
			}),
			otlptracegrpc.WithTimeout(10*time.Second),
		)
	} else {
		client = otlptracehttp.NewClient(
			otlptracehttp.WithEndpoint(endpoint),
			otlptracehttp.WithInsecure(),
			otlptracehttp.WithCompression(otlptracehttp.GzipCompression),
			otlptracehttp.WithRetry(otlptracehttp.RetryConfig{
				Enabled: true, InitialInterval: 200 * time.Millisecond,
				MaxInterval: time.Second, MaxElapsedTime: time.Minute,
			}),
			otlptracehttp.WithTimeout(10*time.Second),
		)
	}
	exporter, err := otlptrace.New(ctx, client)
	if err != nil {
		log.Fatal(err)
	}
	provider := trace.NewTracerProvider(
		trace.WithResource(resource.NewSchemaless(attribute.String("service.name", "go-peer"))),
		trace.WithBatcher(exporter, trace.WithMaxExportBatchSize(50), trace.WithBlocking(),
			trace.WithExportTimeout(time.Minute), trace.WithBatchTimeout(200*time.Millisecond)),
	)
	tracer := provider.Tracer("peer")
	for number := 0; number < count; number++ {
		_, span := tracer.Start(ctx, "audit.peer")
		span.SetAttributes(
			attribute.String("audit.action", run),
			attribute.Int("number", number),
		)
		span.End()
	}
	if err := provider.ForceFlush(ctx); err != nil {
		log.Print(err)
	}
	if err := provider.Shutdown(ctx); err != nil {
		log.Print(err)
	}
}
