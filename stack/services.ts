/** The services of a stack, in the order in which they depend on one another. */
export const serviceNames = ["postgres", "kafka", "registry"] as const;
export type ServiceName = (typeof serviceNames)[number];

/** Where the services of a stack are reached. */
export interface StackServices {
  /** `settings`: named by settings; `compose`: Docker Compose; `local`: processes of this machine. */
  readonly mode: "settings" | "compose" | "local";
  /** `host:port`, separated by commas. */
  readonly kafkaBrokers: string;
  /** Base address of the registry's Confluent API, without a trailing slash: `/subjects` is below it. */
  readonly registryUrl: string;
  /** `postgres://user:password@host:port/database`, a role that owns the database. */
  readonly databaseUrl: string;
  /** File with that address, readable by its owner alone; null where whoever set it has kept it elsewhere. */
  readonly databaseUrlFile: string | null;
  /** File with the key of the surrogate ids, 64 hexadecimal digits. */
  readonly secretFile: string;
  /** File with the key-encryption key of the vault, 64 hexadecimal digits. */
  readonly kekFile: string;
  /** File with the key with which the notary signs, 64 hexadecimal digits. */
  readonly notaryKeyFile: string;
}

/** What a start or stop reports while it is at work. Times are in milliseconds; downloads are told apart from starts. */
export type StackProgress =
  | { readonly kind: "waiting"; readonly holderPid: number }
  | { readonly kind: "downloading"; readonly what: string }
  | { readonly kind: "downloaded"; readonly what: string; readonly bytes: number; readonly milliseconds: number }
  | { readonly kind: "preparing"; readonly what: string }
  | { readonly kind: "starting"; readonly service: ServiceName }
  | { readonly kind: "found"; readonly service: ServiceName }
  | { readonly kind: "ready"; readonly service: ServiceName; readonly milliseconds: number }
  | { readonly kind: "stopping"; readonly service: ServiceName }
  | { readonly kind: "stopped"; readonly service: ServiceName; readonly milliseconds: number };

export type StackReport = (progress: StackProgress) => void;

/** The settings that the services of a stack stand for, as environment variables of a process that shall use it. */
export function settingsOf(services: StackServices): Record<string, string> {
  return {
    KAFKA_BROKERS: services.kafkaBrokers,
    SCHEMA_REGISTRY_URL: services.registryUrl,
    DATABASE_URL: services.databaseUrl,
    TRIBUTARY_SECRET_FILE: services.secretFile,
    TRIBUTARY_KEK_FILE: services.kekFile,
    TRIBUTARY_NOTARY_KEY_FILE: services.notaryKeyFile,
  };
}
