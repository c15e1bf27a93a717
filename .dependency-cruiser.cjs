/** The laws of the house: which room may lean on which. */
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      comment:
        "A cycle of imports has no first room to read. Two files that need each other's types are one, or lack a third.",
      from: {},
      to: { circular: true },
    },
    {
      name: "connectors-stand-alone",
      severity: "error",
      comment: "One connector never imports another.",
      from: { path: "^producers/([^/]+)/" },
      to: { path: "^producers/", pathNot: "^producers/$1/" },
    },
    {
      name: "consumers-stand-alone",
      severity: "error",
      comment: "One consumer never imports another.",
      from: { path: "^consumers/([^/]+)/" },
      to: { path: "^consumers/", pathNot: "^consumers/$1/" },
    },
    {
      name: "engine-knows-no-partner",
      severity: "error",
      comment: "The engine finds connectors, consumers and projections; it never names them.",
      from: { path: "^engine/" },
      to: { path: "^(producers|consumers|projections|cli|demo|bench)/" },
    },
    {
      name: "projections-are-definitions",
      severity: "error",
      comment: "A projection imports the words it is written in and the schemas, nothing else.",
      from: { path: "^projections/([^/]+)/", pathNot: "[.]spec[.]ts$" },
      to: { path: "^(?!(projections/$1/|projections/[^/]+[.]ts$|schemas/|engine/projector/definition[.]ts))" },
    },
    {
      name: "only-the-log-knows-kafka",
      severity: "error",
      comment: "Kafka, the registry client and Avro are behind engine/log.",
      from: { pathNot: "^engine/log/" },
      to: { path: "node_modules/(kafkajs|@kafkajs|avsc)(/|$)" },
    },
    {
      name: "only-the-store-knows-postgres",
      severity: "error",
      comment: "pg is behind engine/store and the projector's write path.",
      from: { pathNot: "^engine/(store|projector)/" },
      to: { path: "node_modules/pg(/|$)" },
    },
    {
      name: "knex-for-migrations-and-queries",
      severity: "error",
      from: { pathNot: "^(engine/store|cli|console)/" },
      to: { path: "node_modules/knex(/|$)" },
    },
    {
      name: "the-region-knows-nothing",
      severity: "error",
      comment: "The demo's truth comes from its own state.",
      from: { path: "^demo/", pathNot: "[.]spec[.]ts$" },
      to: { path: "^(engine|producers|consumers|projections|schemas|cli)/" },
    },
    { name: "specs-are-leaves", severity: "error", from: { pathNot: "[.]spec[.]ts$" }, to: { path: "[.]spec[.]ts$" } },
    {
      name: "testing-is-for-tests",
      severity: "error",
      from: { path: "^(producers|consumers|projections|cli|stack|demo)/", pathNot: "[.]spec[.]ts$|/testing/" },
      to: { path: "^engine/testing/" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.json" },
    tsPreCompilationDeps: true,
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^dist/" },
  },
};
