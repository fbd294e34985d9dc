"""Lints and renders the chart with Helm's own code, and checks the objects against the schemas of Kubernetes.

Prints a JSON object: the version of Helm, and for each set of values its faults and its objects; for each set of
values that must be refused, what Helm says. The sets are read from standard input.
"""

import json
import sys

import yaml
from helm_python import HelmError, chart, helm_sdk_version
from kubernetes_validate import validate
from kubernetes_validate import ValidationError, InvalidSchemaError, SchemaNotFoundError

KUBERNETES = ["1.30", "1.37"]


def faults_of(manifest, version):
    """What the schemas of one version of Kubernetes say about an object; 'unknown' for a custom resource."""
    try:
        validate(manifest, version, strict=True)
        return []
    except SchemaNotFoundError:
        return ["unknown"]
    except (ValidationError, InvalidSchemaError) as error:
        return [f"{version} {manifest['kind']}: {error}"]


def render(folder, values):
    with chart.Chart.load(folder) as loaded:
        loaded.validate_schema(values)
        texts = loaded.render(values, name="hub", namespace="realtime")
    objects, notes, faults = [], "", []
    for name, text in sorted(texts.items()):
        if name.endswith("NOTES.txt"):
            notes = text
            continue
        objects += [manifest for manifest in yaml.safe_load_all(text) if manifest]
    custom = []
    for manifest in objects:
        found = [fault for version in KUBERNETES for fault in faults_of(manifest, version)]
        if "unknown" in found:
            custom.append(manifest["kind"])
        faults += [fault for fault in found if fault != "unknown"]
    report = chart.lint(folder, values, strict=True, kube_version="v1.37.0")
    lint = [message for message in report["messages"] if message["severity"] > 1] + report["errors"]
    return {"objects": objects, "notes": notes, "faults": faults, "custom": custom, "lint": lint}


def main():
    given = json.load(sys.stdin)
    folder = given["chart"]
    sets = {name: yaml.safe_load(text) for name, text in given["sets"].items()}
    refused = {}
    for name, values in given["refused"].items():
        try:
            render(folder, values)
            refused[name] = ""
        except HelmError as error:
            refused[name] = str(error)
    rendered = {name: render(folder, values) for name, values in sets.items()}
    json.dump({"helm": helm_sdk_version(), "rendered": rendered, "refused": refused}, sys.stdout)


main()
