/** Resources of one visit, as a hospital's server writes them: about 2 kB each, with the identifiers of the visit's number. */
export function visitResources(number: number): readonly (Record<string, unknown> & { readonly id: string })[] {
  const id = (kind: string) => `${kind}-${number}`;
  const day = new Date(Date.UTC(2024, 0, 1) + (number % 700) * 86_400_000).toISOString().slice(0, 10);
  const narrative = {
    status: "generated",
    div: `<div xmlns="http://www.w3.org/1999/xhtml">${"Record. ".repeat(40)}</div>`,
  };
  const patient = { reference: `Patient/${id("p")}` };
  const type = { coding: [{ system: "http://terminology.hl7.org/CodeSystem/claim-type", code: "professional" }] };
  const charge = 10_000 + (number % 90_000);
  const money = (cents: number) => ({ value: cents / 100, currency: "USD" });
  const amount = (code: string, cents: number) => ({
    category: { coding: [{ system: "http://terminology.hl7.org/CodeSystem/adjudication", code }] },
    amount: money(cents),
  });
  const provider = { identifier: { system: "http://hl7.org/fhir/sid/us-npi", value: "1234567893" } };
  const insurance = [{ sequence: 1, focal: true, coverage: { reference: `Coverage/${id("k")}` } }];
  const service = { coding: [{ system: "http://www.ama-assn.org/go/cpt", code: "99213", display: "Office visit" }] };
  const lines = [1, 2, 3, 4].map((sequence) => ({ sequence, productOrService: service, servicedDate: day }));
  return [
    {
      resourceType: "Patient",
      id: id("p"),
      text: narrative,
      identifier: [
        { type: { coding: [{ code: "MR" }] }, system: "https://lake.example/mrn", value: `MRN${number}` },
        { type: { coding: [{ code: "SS" }] }, system: "http://hl7.org/fhir/sid/us-ssn", value: `9${number}` },
      ],
      name: [{ use: "official", family: `Family${number}`, given: ["Given", "Middle"] }],
      telecom: [{ system: "phone", value: `+1 555 ${number}` }],
      gender: number % 2 === 0 ? "female" : "male",
      birthDate: "1971-04-23",
      address: [{ line: [`${number} Harbour Lane`], city: "Duluth", state: "MN", postalCode: "55802" }],
    },
    {
      resourceType: "Encounter",
      id: id("v"),
      text: narrative,
      status: "finished",
      class: { system: "http://terminology.hl7.org/CodeSystem/v3-ActCode", code: "AMB" },
      subject: patient,
      period: { start: `${day}T08:00:00Z`, end: `${day}T09:00:00Z` },
      serviceProvider: { reference: "Organization/lake" },
    },
    {
      resourceType: "Claim",
      id: id("c"),
      text: narrative,
      status: "active",
      type,
      use: "claim",
      patient,
      created: day,
      provider,
      priority: { coding: [{ code: "normal" }] },
      insurance,
      item: lines.map((line) => ({
        ...line,
        net: money(charge / 4),
        encounter: [{ reference: `Encounter/${id("v")}` }],
      })),
      total: money(charge),
    },
    {
      resourceType: "ExplanationOfBenefit",
      id: id("e"),
      text: narrative,
      status: "active",
      type,
      use: "claim",
      patient,
      created: day,
      insurer: { display: "BAYPLAN" },
      provider,
      claim: { reference: `Claim/${id("c")}` },
      outcome: "complete",
      insurance: [{ focal: true, coverage: { reference: `Coverage/${id("k")}` } }],
      item: lines.map((line) => ({
        ...line,
        adjudication: [amount("submitted", charge / 4), amount("eligible", charge / 5), amount("benefit", charge / 5)],
      })),
      total: [amount("submitted", charge)],
      payment: { date: day, amount: money(Math.floor((charge * 4) / 5)) },
    },
  ];
}

/** A transaction of the visits from one number to another. */
export function bundleOf(from: number, to: number): Buffer {
  const entry: unknown[] = [];
  for (let number = from; number < to; number++) {
    for (const resource of visitResources(number))
      entry.push({ resource, request: { method: "PUT", url: `${resource.resourceType}/${resource.id}` } });
  }
  return Buffer.from(JSON.stringify({ resourceType: "Bundle", type: "transaction", entry }));
}

/** Lines of a bulk file, a resource each, a visit at a time. */
export function* linesOf(from: number, to: number): Generator<string> {
  for (let number = from; number < to; number++)
    yield `${visitResources(number)
      .map((resource) => JSON.stringify(resource))
      .join("\n")}\n`;
}
