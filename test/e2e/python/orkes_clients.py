"""What Orkes' Python SDK, unmodified, does with a running admin; prints one JSON value of everything it was answered.

CONDUCTOR_SERVER_URL, CONDUCTOR_AUTH_KEY and CONDUCTOR_AUTH_SECRET are the SDK's own; EXPIRED_TOKEN is a token whose
time is over, ACCESS_KEY and ACCESS_SECRET a key pair of AWS that may call Bedrock.
"""

import json
import os

from conductor.client.configuration.configuration import Configuration
from conductor.client.http.models.create_or_update_application_request import CreateOrUpdateApplicationRequest
from conductor.client.http.models.create_or_update_role_request import CreateOrUpdateRoleRequest
from conductor.client.http.models.integration_api_update import IntegrationApiUpdate
from conductor.client.http.models.integration_update import IntegrationUpdate
from conductor.client.http.models.subject_ref import SubjectRef, SubjectType
from conductor.client.http.models.target_ref import TargetRef, TargetType
from conductor.client.http.models.upsert_group_request import UpsertGroupRequest
from conductor.client.http.models.upsert_user_request import UpsertUserRequest
from conductor.client.http.rest import ApiException
from conductor.client.orkes.models.access_type import AccessType
from conductor.client.orkes.models.metadata_tag import MetadataTag
from conductor.client.orkes.orkes_authorization_client import OrkesAuthorizationClient
from conductor.client.orkes.orkes_integration_client import OrkesIntegrationClient
from conductor.client.orkes.orkes_prompt_client import OrkesPromptClient

EMBED = "cohere.embed-v4:0"
CHAT = "amazon.nova-lite-v1:0"
TEMPLATE = 'Summarize:\n"${text}" – in ${language}, at c:\\new, and end with "Amen"'


class Noted:
    """A client that notes which of its methods are called."""

    def __init__(self, client):
        self._client = client
        self._called = set()

    def __getattr__(self, name):
        self._called.add(name)
        return getattr(self._client, name)

    def not_called(self):
        own = [name for name, value in vars(type(self._client)).items() if callable(value) and name[0] != "_"]
        return sorted(set(own) - self._called)


configuration = Configuration()
integrations = Noted(OrkesIntegrationClient(configuration))
prompts = Noted(OrkesPromptClient(configuration))
authorization = Noted(OrkesAuthorizationClient(configuration))


def plain(value):
    """The SDK's models as the JSON that they stand for."""
    return integrations.api_client.sanitize_for_serialization(value)


def refusal(call, *arguments):
    try:
        call(*arguments)
    except ApiException as error:
        return {"status": error.status, "message": error.message}
    return None


def integration(**more):
    return IntegrationUpdate(
        type="aws_bedrock_cohere",
        category="AI_MODEL",
        description="By the SDK",
        enabled=True,
        configuration={"region": "us-east-1", **more},
    )


def run_integrations():
    integrations.save_integration("by-conductor", integration(connectionType="CONDUCTOR_ROLE"))
    role = "arn:aws:iam::123456789012:role/cohere"
    integrations.save_integration(
        "by-role",
        integration(connectionType="EXTERNAL_ROLE", roleArn=role, externalId="the-external-id", awsAccountId="123456789012"),
    )
    integrations.save_integration(
        "by-key",
        integration(connectionType="ACCESS_KEY", user=os.environ["ACCESS_KEY"], api_key=os.environ["ACCESS_SECRET"]),
    )
    # What was read comes back in a write, audit fields and mask included.
    integrations.save_integration("by-key", integrations.get_integration("by-key"))
    integrations.save_integration_api(
        "by-key",
        EMBED,
        IntegrationApiUpdate(
            description="Embeddings", enabled=True, configuration={"maxConcurrency": 8}, max_tokens=1000, frequency="daily"
        ),
    )
    integrations.save_integration_api("by-key", CHAT, IntegrationApiUpdate(enabled=False, configuration={}))
    integrations.put_tag_for_integration_provider([MetadataTag("tier", "gold"), MetadataTag("tier", "silver")], "by-key")
    integrations.delete_tag_for_integration_provider([MetadataTag("tier", "gold")], "by-key")
    # The first name lands in the provider's place, whatever the parameter is called.
    integrations.put_tag_for_integration([MetadataTag("team", "risk"), MetadataTag("team", "claims")], "by-key", EMBED)
    integrations.delete_tag_for_integration([MetadataTag("team", "claims")], "by-key", EMBED)
    return {
        "integrations": plain(integrations.get_integrations()),
        "one": plain(integrations.get_integration("by-key")),
        "unknown": integrations.get_integration("nowhere"),
        "models": plain(integrations.get_integration_apis("by-key")),
        "model": plain(integrations.get_integration_api("by-key", EMBED)),
        "unknownModel": integrations.get_integration_api("by-key", "nothing"),
        "modelNames": integrations.get_integration_available_apis("by-key"),
        "qualified": integrations.get_providers_and_integrations(),
        # get_integration_provider_defs() itself cannot read any form: the SDK does not export the class it reads them into.
        "forms": integrations.api_client.call_api(
            "/integrations/def", "GET", auth_settings=["api_key"], response_type="object", _return_http_data_only=True
        ),
        "tags": plain(integrations.get_tags_for_integration_provider("by-key")),
        "modelTags": plain(integrations.get_tags_for_integration("by-key", EMBED)),
        "refused": refusal(integrations.save_integration, "by-key", integration(connectionType="BY_MAGIC")),
    }


def run_prompts():
    prompts.save_prompt("summarize", "Sums up", TEMPLATE, [f"by-key:{EMBED}"])
    first = plain(prompts.get_prompt("summarize"))
    prompts.save_prompt("summarize", "Shorter", "Shorter: ${text}", version=2)
    prompts.save_prompt("summarize", "Shortest", "${text}", auto_increment=True)
    prompts.save_prompt("plain", "No variables", "Hi")
    integrations.associate_prompt_with_integration("by-key", CHAT, "summarize")
    prompts.update_tag_for_prompt_template("summarize", [MetadataTag("team", "risk"), MetadataTag("team", "claims")])
    prompts.delete_tag_for_prompt_template("summarize", [MetadataTag("team", "claims")])
    answers = {
        "first": first,
        "latest": plain(prompts.get_prompt("summarize")),
        "names": [prompt.name for prompt in prompts.get_prompts()],
        "unknown": prompts.get_prompt("nothing"),
        "ofModel": [prompt.name for prompt in integrations.get_prompts_with_integration("by-key", CHAT)],
        "tags": plain(prompts.get_tags_for_prompt_template("summarize")),
    }
    integrations.save_integration_api("by-key", CHAT, IntegrationApiUpdate(enabled=True))
    answers["tried"] = prompts.test_prompt("Say ${word}", {"word": "Zwiebelfisch"}, "by-key", CHAT, stop_words=["nothing"])
    prompts.delete_prompt("plain")
    return {**answers, "left": [prompt.name for prompt in prompts.get_prompts()]}


def run_applications():
    made = authorization.create_application(CreateOrUpdateApplicationRequest("Claims"))
    robot = made.id
    authorization.update_application(CreateOrUpdateApplicationRequest("Robot"), robot)
    authorization.add_role_to_application_user(robot, "WORKER")
    authorization.add_role_to_application_user(robot, "METADATA_API")
    authorization.remove_role_from_application_user(robot, "WORKER")
    authorization.set_application_tags([MetadataTag("team", "risk"), MetadataTag("team", "claims")], robot)
    authorization.delete_application_tags([MetadataTag("team", "claims")], robot)
    key = authorization.create_access_key(robot)
    token = authorization.generate_token(key.id, key.secret)
    keys = [authorization.get_access_keys(robot)]
    off = authorization.toggle_access_key_status(robot, key.id)
    keys.append(authorization.get_access_keys(robot))
    owner = authorization.get_app_by_access_key_id(key.id)
    authorization.delete_access_key(robot, key.id)
    keys.append(authorization.get_access_keys(robot))
    return robot, {
        "made": plain(made),
        "one": plain(authorization.get_application(robot)),
        "names": sorted(plain(one)["name"] for one in authorization.list_applications()),
        "tags": plain(authorization.get_application_tags(robot)),
        "roles": [role["name"] for role in plain(authorization.get_user(f"app:{robot}"))["roles"]],
        "hasToken": len(plain(token)["token"]) > 0,
        "keys": [[{"isIt": one.id == key.id, "status": one.status} for one in listed] for listed in keys],
        "off": off.status,
        "owner": plain(owner)["id"] == robot,
    }


def run_access(robot):
    authorization.create_role(CreateOrUpdateRoleRequest("MAKER", ["PROMPT_CREATE"]))
    authorization.update_role("MAKER", CreateOrUpdateRoleRequest("MAKER", ["PROMPT_CREATE", "INTEGRATION_CREATE"]))
    authorization.upsert_user(UpsertUserRequest("Alice", ["USER"]), "alice@example.com")
    group = authorization.upsert_group(UpsertGroupRequest(description="Risk analysts", roles=["USER"]), "analysts")
    authorization.add_user_to_group("analysts", "alice@example.com")
    authorization.add_users_to_group("analysts", ["bob@example.com", "carol@example.com", f"app:{robot}"])
    authorization.remove_user_from_group("analysts", "bob@example.com")
    authorization.remove_users_from_group("analysts", ["carol@example.com"])

    analysts = SubjectRef(SubjectType.GROUP, "analysts")
    both = [AccessType.READ, AccessType.EXECUTE]
    # Its TargetRef knows no integrations, so whoever grants on them gives a dictionary.
    authorization.grant_permissions(analysts, {"type": "INTEGRATION", "id": f"by-key:{EMBED}"}, both)
    authorization.grant_permissions(analysts, {"type": "INTEGRATION_PROVIDER", "id": "by-role"}, [AccessType.READ])
    authorization.remove_permissions(analysts, {"type": "INTEGRATION", "id": f"by-key:{EMBED}"}, [AccessType.READ])
    gold = TargetRef(TargetType.TAG, "tier:gold")
    auditors = authorization.upsert_group(UpsertGroupRequest(description="Auditors"), "auditors")
    for subject in [SubjectRef(SubjectType.GROUP, "auditors"), SubjectRef(SubjectType.USER, "dora@example.com")]:
        authorization.grant_permissions(subject, gold, both)

    def granted(permissions):
        return [{"type": one.target.type, "id": one.target.id, "access": one.access} for one in permissions]

    answers = {
        "group": plain(group),
        "groupAgain": plain(authorization.get_group("analysts")),
        "groups": [plain(one)["id"] for one in authorization.list_groups()],
        "auditors": plain(auditors),
        "members": [plain(one)["id"] for one in authorization.get_users_in_group("analysts")],
        "user": plain(authorization.get_user("alice@example.com")),
        "users": [plain(one)["id"] for one in authorization.list_users()],
        "withApplications": f"app:{robot}" in [plain(one)["id"] for one in authorization.list_users(apps=True)],
        "holders": {
            access: [{"type": one.type, "id": one.id} for one in subjects]
            for access, subjects in authorization.get_permissions(gold).items()
        },
        # The same for a group with grants on integrations is for its resource class, for the same reason.
        "ofGroup": authorization.groupResourceApi.get_granted_permissions1("analysts"),
        "ofAuditors": granted(authorization.get_granted_permissions_for_group("auditors")),
        "ofUser": granted(authorization.get_granted_permissions_for_user("dora@example.com")),
        "check": authorization.check_permissions("alice@example.com", "INTEGRATION", f"by-key:{EMBED}"),
        "me": plain(authorization.get_user_info_from_token()),
        "roles": [plain(one)["name"] for one in authorization.list_all_roles()],
        "systemRoles": sorted(plain(authorization.list_system_roles())),
        "customRoles": plain(authorization.list_custom_roles()),
        "permissions": sorted(plain(authorization.list_available_permissions())),
        "role": plain(authorization.get_role("MAKER")),
    }
    authorization.remove_permissions(SubjectRef(SubjectType.USER, "dora@example.com"), gold, both)
    authorization.delete_group("auditors")
    return {**answers, "holdersLeft": authorization.get_permissions(gold)}


def delete_everything(robot):
    authorization.delete_role("MAKER")
    authorization.delete_user("alice@example.com")
    authorization.delete_group("analysts")
    authorization.delete_application(robot)
    integrations.delete_integration_api("by-key", EMBED)
    models = integrations.get_integration_available_apis("by-key")
    for name in ["by-conductor", "by-role", "by-key"]:
        integrations.delete_integration(name)
    links = prompts.get_prompt("summarize").integrations
    prompts.delete_prompt("summarize")
    return {
        "modelsBefore": models,
        "links": links,
        "integrations": plain(integrations.get_integrations()),
        "prompts": plain(prompts.get_prompts()),
        "groups": plain(authorization.list_groups()),
        "users": plain(authorization.list_users()),
        "applications": [plain(one)["name"] for one in authorization.list_applications()],
        "customRoles": plain(authorization.list_custom_roles()),
        "user": refusal(authorization.get_user, "alice@example.com"),
    }


def renew_token():
    configuration.update_token(os.environ["EXPIRED_TOKEN"])
    groups = plain(authorization.list_groups())
    return {"groups": groups, "isNew": configuration.AUTH_TOKEN != os.environ["EXPIRED_TOKEN"]}


answered = {"integrations": run_integrations(), "prompts": run_prompts()}
robot, answered["applications"] = run_applications()
answered["access"] = run_access(robot)
answered["deleted"] = delete_everything(robot)
answered["renewed"] = renew_token()
answered["robot"] = robot
answered["template"] = TEMPLATE
answered["notCalled"] = {
    "integrations": integrations.not_called(),
    "prompts": prompts.not_called(),
    "authorization": authorization.not_called(),
}
print(json.dumps(answered))
