import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { render, templateProblem } from "../../src/bridges/template.ts";

describe("a template", () => {
  it("has its places filled in", () => {
    assert.equal(
      render("orders.${key}-${header:kind}", { key: "7", header: (name) => `<${name}>` }),
      "orders.7-<kind>",
    );
  });

  it("takes what follows a colon as part of a name, if that name is there", () => {
    const values = { topic: "plant.a.temp", "topic:0": "plant", "topic:1": "a" };
    assert.equal(render("${topic:0}.${topic:1}", values), "plant.a");
    assert.equal(render("${topic:2}", values), undefined);
    assert.equal(render("${topic}", values), "plant.a.temp");
  });

  it("makes nothing if a place has no value", () => {
    assert.equal(render("orders.${key}", { key: undefined }), undefined);
    assert.equal(render("orders.${key}", { key: "" }), undefined);
    assert.equal(render("${toString}", {}), undefined);
  });

  it("names only what it may", () => {
    assert.equal(templateProblem("${topic}.${header:a}", ["topic", "header"]), undefined);
    assert.equal(templateProblem("${tpoic}", ["topic", "key"]), "${tpoic} is not one of ${topic}, ${key}");
    assert.equal(templateProblem("${topic", ["topic"]), "it has ${ without a name and a closing }");
  });
});
