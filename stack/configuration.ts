/**
 * Configuration that the local stack and `docker-compose.yml` share; a test compares them. Only addresses and folders
 * differ between the two.
 */

/**
 * Kafka's server properties: one node, no topic by accident, records as large as a journal entry may be. Nothing is
 * deleted by age: the registry's journal is a topic of its own making that keeps the broker's default, which is a week.
 */
export const kafkaProperties = {
  "process.roles": "broker,controller",
  "node.id": "1",
  "controller.listener.names": "CONTROLLER",
  "auto.create.topics.enable": "false",
  "message.max.bytes": "16777216",
  "replica.fetch.max.bytes": "16777216",
  "num.network.threads": "2",
  "num.io.threads": "4",
  "num.recovery.threads.per.data.dir": "2",
  "log.retention.ms": "-1",
  "log.cleaner.dedupe.buffer.size": "16777216",
  "offsets.topic.replication.factor": "1",
  "offsets.topic.num.partitions": "8",
  "transaction.state.log.replication.factor": "1",
  "transaction.state.log.min.isr": "1",
  "transaction.state.log.num.partitions": "4",
  "share.coordinator.state.topic.replication.factor": "1",
  "share.coordinator.state.topic.min.isr": "1",
  "share.coordinator.state.topic.num.partitions": "4",
  "group.initial.rebalance.delay.ms": "0",
} as const;

/**
 * Apicurio's environment. Its journal in Kafka is the whole truth: snapshots, which would lie in a folder of the
 * container or machine, are off, and it need not wait five seconds at each start for one to appear.
 */
export const registryEnvironment = {
  APICURIO_STORAGE_KIND: "kafkasql",
  APICURIO_KAFKASQL_SNAPSHOT_EVERY_SECONDS: "off",
  APICURIO_KAFKASQL_CONSUMER_POLL_TIMEOUT: "500",
  QUARKUS_HTTP_ACCESS_LOG_ENABLED: "false",
  QUARKUS_LOG_LEVEL: "WARN",
} as const;

/**
 * Postgres' run-time settings. Writes are durable (fsync stays on), and no statement or value reaches its log.
 */
export const postgresSettings = {
  shared_buffers: "256MB",
  max_connections: "200",
  max_wal_size: "2GB",
  checkpoint_timeout: "15min",
  password_encryption: "scram-sha-256",
  timezone: "UTC",
  log_timezone: "UTC",
  log_error_verbosity: "terse",
  log_min_error_statement: "panic",
} as const;

/** Memory and compilers of the two Java machines, bounded so that both fit beside everything else on a laptop. */
export const javaOptions = {
  kafka: ["-Xms128m", "-Xmx512m"],
  registry: ["-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"],
} as const;

/** Role that owns the database, and the database. */
export const database = { user: "tributary", name: "tributary" } as const;
