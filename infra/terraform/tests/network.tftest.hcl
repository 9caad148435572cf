mock_provider "aws" {
  source = "./mocks"
}

variables {
  name        = "lakesmith-prod"
  region      = "eu-west-1"
  zones       = ["eu-west-1a", "eu-west-1b", "eu-west-1c"]
  log_key_arn = "arn:aws:kms:eu-west-1:123456789012:key/logs"
}

run "closed" {
  module {
    source = "../modules/network"
  }

  assert {
    condition     = length(aws_subnet.private) == 3 && alltrue([for subnet in aws_subnet.private : subnet.map_public_ip_on_launch == false])
    error_message = "Jobs are in private subnets, one a zone."
  }
  assert {
    condition     = length(aws_internet_gateway.this) + length(aws_nat_gateway.this) + length(aws_subnet.public) + length(aws_route.out) == 0
    error_message = "Without egress there is no way to the internet."
  }
  assert {
    condition     = length(aws_default_security_group.closed.ingress) == 0 && length(aws_default_security_group.closed.egress) == 0
    error_message = "The default security group lets nothing through."
  }
  assert {
    condition = alltrue([
      for rule in aws_vpc_security_group_ingress_rule.among_themselves : rule.referenced_security_group_id == rule.security_group_id && rule.cidr_ipv4 == null
    ]) && aws_vpc_security_group_ingress_rule.endpoints.cidr_ipv4 == "10.20.0.0/16"
    error_message = "Nothing comes in from outside the network."
  }
  assert {
    condition     = alltrue([for rule in aws_vpc_security_group_egress_rule.https : rule.from_port == 443 && rule.to_port == 443 && rule.ip_protocol == "tcp"])
    error_message = "What goes out is HTTPS."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway" && alltrue([for endpoint in aws_vpc_endpoint.interface : endpoint.private_dns_enabled])
    error_message = "Amazon's services are reached inside the network."
  }
  assert {
    condition     = aws_flow_log.this.traffic_type == "ALL" && aws_cloudwatch_log_group.flow.kms_key_id == var.log_key_arn
    error_message = "All traffic is on record, encrypted."
  }
}

run "with_a_way_out" {
  module {
    source = "../modules/network"
  }
  variables {
    egress = true
  }

  assert {
    condition     = length(aws_nat_gateway.this) == 1 && length(aws_subnet.public) == 1 && alltrue([for subnet in aws_subnet.public : subnet.map_public_ip_on_launch == false])
    error_message = "One NAT gateway, and no machine with a public address."
  }
}

run "one_zone_is_too_few" {
  command = plan
  module {
    source = "../modules/network"
  }
  variables {
    zones = ["eu-west-1a"]
  }
  expect_failures = [var.zones]
}
